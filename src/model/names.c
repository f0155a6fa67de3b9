#include <string.h>

#include "base/util.h"
#include "model/action.h"
#include "model/severity.h"

static const struct {
	const char *name;
	int cef, syslog;
} severities[SEV_N] = {
	[SEV_INFO] = { "info", 0, 6 },	     [SEV_LOW] = { "low", 2, 5 },
	[SEV_MEDIUM] = { "medium", 4, 4 },   [SEV_HIGH] = { "high", 7, 3 },
	[SEV_CRITICAL] = { "critical", 9, 2 },
};

static const char *const actions[ACTION_N] = {
	[ACTION_IGNORE] = "ignore", [ACTION_ALERT] = "alert", [ACTION_BLOCK] = "block",
	[ACTION_KILL] = "kill",	    [ACTION_STOP] = "stop",   [ACTION_FREEZE] = "freeze",
	[ACTION_BAN] = "ban",
	[ACTION_AUTO] = "auto",
};

#define SIGNAL_NAME(symbol, name) [SIGNAL_##symbol] = name,
static const char *const signals[SIGNAL_N] = { SIGNALS(SIGNAL_NAME) };

#define BIT(a) (1u << ACTION_##a)
static const unsigned taken[SIGNAL_N] = {
	[SIGNAL_CPU] = BIT(IGNORE) | BIT(ALERT) | BIT(KILL) | BIT(STOP) | BIT(FREEZE),
	[SIGNAL_MEMORY] = BIT(IGNORE) | BIT(ALERT) | BIT(KILL) | BIT(STOP) | BIT(FREEZE),
	[SIGNAL_PIDS] = BIT(IGNORE) | BIT(ALERT) | BIT(KILL) | BIT(STOP) | BIT(FREEZE),
	[SIGNAL_NET] = BIT(IGNORE) | BIT(ALERT) | BIT(BLOCK),
	[SIGNAL_DNS] = BIT(IGNORE) | BIT(ALERT) | BIT(BLOCK),
	[SIGNAL_LOGIN] = BIT(IGNORE) | BIT(ALERT) | BIT(BAN),
	[SIGNAL_EXEC] = BIT(IGNORE) | BIT(ALERT) | BIT(BLOCK) | BIT(AUTO),
};

const char *severity_name(enum severity s)
{
	return (unsigned) s < SEV_N ? severities[s].name : "unknown";
}

int severity_parse(const char *s, enum severity *ret)
{
	for (unsigned i = 0; i < SEV_N; i++)
		if (strcmp(s, severities[i].name) == 0) {
			*ret = (enum severity) i;
			return 0;
		}
	return -EINVAL;
}

int severity_cef(enum severity s)
{
	return (unsigned) s < SEV_N ? severities[s].cef : 7;
}

int severity_syslog(enum severity s)
{
	return (unsigned) s < SEV_N ? severities[s].syslog : 3;
}

const char *action_name(enum pv_action a)
{
	return (unsigned) a < ACTION_N ? actions[a] : "unknown";
}

int action_parse(const char *s, enum pv_action *ret)
{
	for (unsigned i = 0; i < ACTION_N; i++)
		if (strcmp(s, actions[i]) == 0) {
			*ret = (enum pv_action) i;
			return 0;
		}
	return -EINVAL;
}

const char *signal_name(enum pv_signal s)
{
	return (unsigned) s < SIGNAL_N ? signals[s] : "all";
}

int signal_parse(const char *s, enum pv_signal *ret)
{
	for (unsigned i = 0; i < SIGNAL_N; i++)
		if (strcmp(s, signals[i]) == 0) {
			*ret = (enum pv_signal) i;
			return 0;
		}
	return -EINVAL;
}

int signal_takes(enum pv_signal s, enum pv_action a)
{
	return (unsigned) s < SIGNAL_N && (unsigned) a < ACTION_N && taken[s] >> a & 1;
}
