#include "check/remedy.h"

#include <inttypes.h>
#include <string.h>

#include "check/recreate.h"

#define PIPED " | sh" /* the lines of recreate.h */

void remedy_word(struct pv_buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@=+-,%";

	if (*word && strspn(word, plain) == strlen(word)) {
		pv_buf_puts(out, word);
		return;
	}
	pv_buf_putc(out, '\'');
	for (const char *p = word; *p; p++)
		pv_buf_puts(out, *p == '\'' ? "'\\''" : (char[]){ *p, '\0' });
	pv_buf_putc(out, '\'');
}

/* A plain word of YAML, or one in double quotes (JSON strings are YAML). */
static void yaml_word(struct pv_buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	if (*word && strspn(word, plain) == strlen(word) && strspn(word, "0123456789.-") < strlen(word))
		pv_buf_puts(out, word);
	else
		pv_buf_json_str(out, word);
}

void remedy_port(struct pv_buf *out, const struct ctr_port *port, bool near)
{
	const char *at = near ? "127.0.0.1" : port->address;
	const bool six = strchr(at, ':');

	pv_buf_printf(out, "%s%s%s%s", six ? "[" : "", at, six ? "]" : "", *at ? ":" : "");
	if (port->first)
		pv_buf_printf(out, "%u", port->first);
	if (port->last > port->first)
		pv_buf_printf(out, "-%u", port->last);
	pv_buf_printf(out, ":%u", port->container);
	if (port->container_last)
		pv_buf_printf(out, "-%u", port->container_last);
	pv_buf_puts(out, port->udp ? "/udp" : "");
}

/* `ports: !override ["127.0.0.1:5432:5432"]`: ports of an override add up, so the tag is needed (Compose 2.24). */
static void ports_patch(struct pv_buf *out, const struct ctr *c, const struct check_policy *p)
{
	pv_buf_puts(out, "ports: !override [");
	for (size_t i = 0; i < c->n_ports; i++) {
		pv_autobuf text = PV_BUF_INIT;

		remedy_port(&text, &c->port[i], ctr_port_faces(p, &c->port[i]));
		pv_buf_puts(out, i ? ", " : "");
		pv_buf_json_str(out, pv_buf_str(&text));
	}
	pv_buf_putc(out, ']');
}

/* `volumes: !override ["data:/data"]`: those that stay. */
static void volumes_patch(struct pv_buf *out, const struct ctr *c, enum id id)
{
	bool any = false;

	pv_buf_puts(out, "volumes: !override [");
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct ctr_mount *m = &c->mount[i];
		const char *named = c->source == CTR_INSPECT && strcmp(m->type, "volume") == 0 ? NULL : m->source;
		pv_autobuf text = PV_BUF_INIT;

		if (strcmp(m->type, "tmpfs") == 0 || (id == ID_CTR_DOCKER_SOCKET ? ctr_mount_gives_socket(m) : ctr_mount_is_hosts(m)))
			continue;
		pv_buf_printf(&text, "%s%s%s%s", named ? named : "", named ? ":" : "", m->target, m->ro ? ":ro" : "");
		pv_buf_puts(out, any ? ", " : "");
		pv_buf_json_str(out, pv_buf_str(&text));
		any = true;
	}
	pv_buf_putc(out, ']');
}

static void words_patch(struct pv_buf *out, const char *key, const struct ctr_words *l, bool (*stays)(const char *))
{
	bool any = false;

	pv_buf_printf(out, "%s: !override [", key);
	for (size_t i = 0; i < l->n; i++) {
		if (!l->item[i].text || !stays(l->item[i].text))
			continue;
		pv_buf_puts(out, any ? ", " : "");
		pv_buf_json_str(out, l->item[i].text);
		any = true;
	}
	pv_buf_putc(out, ']');
}

static bool no_unconfined(const char *s)
{
	return !strstr(s, "unconfined");
}

/* A volume's own name is not in what the engine tells about a mount's path. */
static bool can_list_volumes(const struct ctr *c)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->source == CTR_INSPECT && strcmp(c->mount[i].type, "volume") == 0)
			return false;
	return true;
}

/* Tags of Compose 2.24: lists of two files add up otherwise. false: there is no patch. */
static bool tagged_patch(struct pv_buf *out, const struct ctr *c, const struct check_policy *p, enum id id)
{
	switch (id) {
	case ID_CTR_PUBLISHED_PORT:
		ports_patch(out, c, p);
		return true;
	case ID_CTR_MEMORY_SWAP:
		pv_buf_printf(out, "memswap_limit: %" PRIu64, c->memory);
		return true;
	case ID_CTR_DOCKER_SOCKET:
	case ID_CTR_HOST_PATH:
		if (!can_list_volumes(c))
			return false;
		volumes_patch(out, c, id);
		return true;
	case ID_CTR_CAP_ADD:
		words_patch(out, "cap_add", &c->cap_add, ctr_cap_harmless);
		return true;
	case ID_CTR_SECCOMP:
	case ID_CTR_APPARMOR:
		words_patch(out, "security_opt", &c->security, no_unconfined);
		return true;
	default:
		return false;
	}
}

/* The setting that a limit is above; NULL: there is none that its owner has set. */
static const char *own_limit(const struct ctr *c, enum id id)
{
	return id == ID_CTR_PIDS_LIMIT && c->pids > 0	? "policy.pids"
	       : id == ID_CTR_MEMORY_LIMIT && c->memory	? "policy.memory"
	       : id == ID_CTR_CPU_LIMIT && c->nano_cpus ? "policy.cpus"
							: NULL;
}

/* false: it has none */
static bool compose_patch(struct pv_buf *out, const struct ctr *c, const struct check_policy *p, const struct ctr_check *check)
{
	pv_autobuf own = PV_BUF_INIT;

	if (!c->service || (!tagged_patch(&own, c, p, check->id) && !check->compose))
		return false;
	pv_buf_puts(out, "services: {");
	yaml_word(out, c->service);
	pv_buf_printf(out, ": {%s}}", own.len ? pv_buf_str(&own) : check->compose);
	return true;
}

void remedy_publish_rm(struct pv_buf *out, const struct ctr_port *port)
{
	pv_buf_printf(out, " --publish-rm published=%u,target=%u%s%s", port->first, port->container, port->udp ? ",protocol=udp" : "",
		      port->host_mode ? ",mode=host" : "");
}

/* Whether one that stays would go along: the published port does not count. */
static bool shares_target(const struct ctr *c, const struct check_policy *p, const struct ctr_port *port)
{
	for (size_t i = 0; i < c->n_ports; i++)
		if (!ctr_port_faces(p, &c->port[i]) && c->port[i].container == port->container && c->port[i].udp == port->udp &&
		    c->port[i].host_mode == port->host_mode)
			return true;
	return false;
}

static void service_ports(struct pv_buf *out, const struct ctr *c, const struct check_policy *p)
{
	pv_autobuf options = PV_BUF_INIT;

	for (size_t i = 0; i < c->n_ports; i++) {
		if (!ctr_port_faces(p, &c->port[i]))
			continue;
		if (shares_target(c, p, &c->port[i]))
			return;
		remedy_publish_rm(&options, &c->port[i]);
	}
	pv_buf_printf(out, "docker service update%s ", pv_buf_str(&options));
	remedy_word(out, c->engine_name);
}

static const char *program(const struct ctr *c)
{
	return c->engine ? "podman" : "docker";
}

static bool is_box(const struct ctr *c)
{
	return c->source == CTR_INSPECT && c->kind == SUBJECT_CONTAINER && c->engine_name;
}

/* `docker update`: what can be changed while it runs. false: that cannot. */
static bool live(struct pv_buf *out, const struct ctr *c, const struct ctr_check *check)
{
	const bool swap = check->id == ID_CTR_MEMORY_SWAP;

	if (!is_box(c) || (!check->update && !swap))
		return false;
	pv_buf_printf(out, "%s update ", program(c));
	if (swap)
		pv_buf_printf(out, "--memory %" PRIu64 " --memory-swap %" PRIu64, c->memory, c->memory);
	else
		pv_buf_puts(out, check->update);
	pv_buf_putc(out, ' ');
	remedy_word(out, c->engine_name);
	return true;
}

static void command(struct pv_buf *out, const struct ctr *c, const struct ctr_check *check, const struct check_policy *p)
{
	if (c->kind == SUBJECT_SERVICE && c->engine_name && check->id == ID_CTR_PUBLISHED_PORT) {
		service_ports(out, c, p);
	} else if (c->kind == SUBJECT_SERVICE && c->engine_name && check->service) {
		pv_buf_printf(out, "docker service update %s ", check->service);
		remedy_word(out, c->engine_name);
	} else if (!compose_patch(out, c, p, check) && is_box(c) && !c->service && recreate_mends(check->id)) {
		pv_buf_printf(out, "pavise audit --only %s --recreate ", id_info(check->id)->name);
		remedy_word(out, c->engine_name);
		pv_buf_puts(out, PIPED);
	}
}

void remedy_container(const struct ctr *c, const struct ctr_check *check, const struct check_policy *p, struct finding *f)
{
	pv_autobuf text = PV_BUF_INIT, cmd = PV_BUF_INIT, patch = PV_BUF_INIT;
	const char *limit = own_limit(c, check->id);
	bool at_once;

	if (limit) { /* how far it can be lowered only its owner knows */
		pv_buf_printf(&text, "it has a limit, above %s: lower it to what it needs, or raise the policy's", limit);
		finding_remedy(f, pv_buf_str(&text), NULL);
		return;
	}
	pv_buf_puts(&text, check->text);
	at_once = live(&cmd, c, check);
	if (!at_once)
		command(&cmd, c, check, p);
	if (c->source == CTR_INSPECT && compose_patch(&patch, c, p, check)) {
		pv_buf_puts(&text, at_once ? "; to keep it, in the Compose file: " : "; in the Compose file: ");
		pv_buf_puts(&text, pv_buf_str(&patch));
		pv_buf_puts(&text, ", then: docker compose -p ");
		remedy_word(&text, c->project);
		pv_buf_puts(&text, " up -d ");
		remedy_word(&text, c->service);
	} else if (is_box(c) && !at_once && check->run) {
		pv_buf_puts(&text, "; start ");
		remedy_word(&text, c->engine_name);
		pv_buf_printf(&text, " again with: %s", check->run);
	}
	/* A command that was cut would do something else. */
	finding_remedy(f, pv_buf_str(&text), cmd.len && cmd.len <= FINDING_TEXT ? pv_buf_str(&cmd) : NULL);
}

/* How much two commands have in common up to the name in them, and what ends them. */
static size_t head_len(const char *command)
{
	const size_t tail = sizeof(PIPED) - 1, len = command ? strlen(command) : 0;
	size_t end = len > tail && strcmp(command + len - tail, PIPED) == 0 ? len - tail : len;

	while (end && command[end - 1] != ' ')
		end--;
	return end;
}

bool remedy_joined(struct pv_buf *out, const struct finding *const *f, size_t n)
{
	const char *first = n ? f[0]->command : NULL;
	const bool piped = first && strncmp(first, "pavise audit --only ", 20) == 0;
	size_t head = piped || (first && (strncmp(first, "docker update ", 14) == 0 || strncmp(first, "podman update ", 14) == 0)) ? head_len(first) : 0;
	const size_t tail = piped ? sizeof(PIPED) - 1 : 0;
	bool all = head > 0;

	if (!first)
		return false;
	pv_buf_add(out, first, strlen(first) - tail);
	for (size_t i = 1; i < n && head; i++) {
		const char *c = f[i]->command;
		bool like = c && head_len(c) == head && strncmp(c, first, head) == 0;

		all = all && like;
		if (like) {
			pv_buf_putc(out, piped ? ',' : ' ');
			pv_buf_add(out, c + head, strlen(c) - head - tail);
		}
	}
	pv_buf_puts(out, piped ? PIPED : "");
	return all;
}
