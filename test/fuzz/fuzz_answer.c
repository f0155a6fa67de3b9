/* Promise of engine_api/answer.h: whatever an engine answers, results are whole (terminated, without control
 * characters, ids in their form), an exception is never taken for net or dns or without the image's own labels, and no
 * subnet is wide enough to cover the Internet. First byte: which answer it is. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "engine_api/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s, size_t room)
{
	size_t n = strnlen(s, room);

	assert(n < room);
	for (size_t i = 0; i < n; i++)
		assert((unsigned char) s[i] >= 0x20 && s[i] != 0x7f);
}

static void check_container(const struct container_info *c)
{
	assert(text_is_hex(c->id, 64));
	check_text(c->name, sizeof(c->name));
	check_text(c->project, sizeof(c->project));
	check_text(c->service, sizeof(c->service));
	check_text(c->service_id, sizeof(c->service_id));
	check_text(c->task_id, sizeof(c->task_id));
	check_text(c->image, sizeof(c->image));
	assert(!c->image_id[0] || (strncmp(c->image_id, "sha256:", 7) == 0 && text_is_hex(c->image_id + 7, 64)));
	check_text(c->restart_policy, sizeof(c->restart_policy));
	assert(!c->service_id[0] || strstr(c->name, c->task_id) || strlen(c->name) == sizeof(c->name) - 1);
	assert(c->running || c->pid == 0);
	assert(!c->health[1] || c->health[0]);
	assert(c->n_networks <= CONTAINER_NETWORKS);
	for (size_t i = 0; i < c->n_networks; i++) {
		check_text(c->networks[i], sizeof(c->networks[i]));
		for (const char *p = c->networks[i]; *p; p++)
			assert(*p < 'A' || *p > 'Z');
	}
	assert(c->label_action[SIGNAL_NET] == ACTION_N && c->label_action[SIGNAL_DNS] == ACTION_N);
	for (size_t i = 0; i < SIGNAL_N; i++)
		assert(c->label_action[i] == ACTION_N || c->label_action[i] == ACTION_IGNORE || c->label_action[i] == ACTION_ALERT);
}

static int on_listed(const struct container_info *c, void *arg)
{
	check_container(c);
	for (size_t i = 0; i < SIGNAL_N; i++)
		assert(c->label_action[i] == ACTION_N);
	++*(int *) arg;
	return 0;
}

static int on_subnet(const char *name, const struct ip_prefix *p, void *arg)
{
	check_text(name, PV_NETNAME_LEN);
	assert(p->len <= 128 && p->len >= (ip_is_v4(&p->addr) ? 104 : 16));
	++*(int *) arg;
	return 0;
}

static void inspect(const char *json, size_t size)
{
	const char *cut = memchr(json, '\n', size); /* the image's answer follows on the next line */
	size_t len = cut ? (size_t) (cut - json) : size;
	struct container_info c;

	if (answer_inspect(json, len, cut ? cut + 1 : NULL, cut ? size - len - 1 : 0, ENGINE_DOCKER, &c) == 0)
		check_container(&c);
	if (answer_inspect(json, len, NULL, 0, ENGINE_PODMAN, &c) < 0)
		return;
	check_container(&c);
	for (size_t i = 0; i < SIGNAL_N; i++)
		assert(c.label_action[i] == ACTION_N);
}

static void event(const char *json, size_t size)
{
	struct engine_event ev;

	if (answer_event(json, size, &ev) < 0)
		return;
	check_text(ev.type, sizeof(ev.type));
	check_text(ev.action, sizeof(ev.action));
	check_text(ev.network, sizeof(ev.network));
	assert(!strchr(ev.action, ':') && ev.action[0] && ev.exit_code >= -1);
	assert(!ev.id[0] || text_is_hex(ev.id, 64));
	assert(ev.id[0] || strcmp(ev.type, "container") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *json = (const char *) data + 1;
	struct service_info s;
	int n = 0, r = 0;

	if (!size--)
		return 0;
	switch (data[0]) {
	case 'L':
		r = answer_list(json, size, ENGINE_DOCKER, on_listed, &n);
		break;
	case 'N':
		r = answer_networks(json, size, on_subnet, &n);
		break;
	case 'I':
		inspect(json, size);
		return 0;
	case 'E':
		event(json, size);
		return 0;
	case 'S':
		if (answer_service(json, size, &s) == 0)
			check_text(s.name, sizeof(s.name));
		return 0;
	}
	assert(r == n || ((r == -EBADMSG || r == -EFBIG) && n == 0));
	return 0;
}
