/* What stands in the way of evidence was written by strangers: mount tables, socket tables, command lines, framed logs. A masked
 * line never holds the value behind --password=; what is read stays within its bounds. Input: one byte that chooses, the text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mask.h"
#include "collector/collector.h"
#include "engine_api/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mounts(const char *text)
{
	static struct overlay o;
	size_t at = 0;

	if (overlay_parse(text, "/var/lib/docker", &o) < 0)
		return;
	assert(strnlen(o.upper, sizeof(o.upper)) < sizeof(o.upper));
	while (o.lowers[at]) {
		at += strnlen(o.lowers + at, sizeof(o.lowers) - at) + 1;
		assert(at < sizeof(o.lowers));
	}
}

static void command(const char *text, size_t len)
{
	static const char secret[] = "--password=Zq7#Zq7#Zq7#Zq7";
	pv_autobuf line = PV_BUF_INIT, out = PV_BUF_INIT;

	pv_buf_add(&line, text, len);
	pv_buf_putc(&line, '\0');
	pv_buf_add(&line, secret, sizeof(secret));
	mask_words(&out, line.data, line.len);
	if (!memmem(text, len, "Zq7", 3))
		assert(!strstr(pv_buf_str(&out), "Zq7#Zq7#Zq7#Zq7"));
}

static void frames(const char *text, size_t len)
{
	pv_autobuf out = PV_BUF_INIT;

	answer_logs(text, len, &out);
	assert(out.len <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct socket_line s;
	char *text;

	if (size < 1 || size > 100000)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 4) {
	case 0:
		mounts(text);
		break;
	case 1:
		command(text, size - 1);
		break;
	case 2:
		frames(text, size - 1);
		break;
	default:
		if (sockets_line(text, data[0] & 4, &s))
			assert(strnlen(s.local, sizeof(s.local)) < sizeof(s.local) &&
			       strnlen(s.remote, sizeof(s.remote)) < sizeof(s.remote));
	}
	free(text);
	return 0;
}
