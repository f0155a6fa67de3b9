#include "notify/channel.h"

#include <string.h>

static const struct channel_kind channel_kinds[] = {
	{ "journal:", true, journal_deliver },
	{ "syslog:", true, syslog_deliver },
	{ "https:", false, webhook_deliver },
};

const struct channel_kind *channel_kind(const char *url)
{
	for (size_t i = 0; i < N_ELEMENTS(channel_kinds); i++)
		if (strncmp(url, channel_kinds[i].scheme, strlen(channel_kinds[i].scheme)) == 0)
			return &channel_kinds[i];
	return NULL;
}
