#include "check/remedy.h"

#include <string.h>

#include "base/text.h"

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

static bool on_all(const struct ctr_port *p)
{
	return strncmp(p->address, "127.", 4) != 0 && strcmp(p->address, "::1") != 0;
}

/* `ports: !override ["127.0.0.1:5432:5432"]`: ports of an override add up, so the tag is needed (Compose 2.24). */
static void ports_patch(struct pv_buf *out, const struct ctr *c)
{
	pv_buf_puts(out, "ports: !override [");
	for (size_t i = 0; i < c->n_ports; i++) {
		const struct ctr_port *p = &c->port[i];

		pv_buf_printf(out, "%s\"%s%s%u:%u%s\"", i ? ", " : "", on_all(p) ? "127.0.0.1" : p->address, ":",
			      p->first ? p->first : p->container, p->container, p->udp ? "/udp" : "");
	}
	pv_buf_putc(out, ']');
}

static void compose_patch(struct pv_buf *out, const struct ctr *c, const struct ctr_check *check)
{
	pv_buf_puts(out, "services: {");
	yaml_word(out, c->service);
	pv_buf_puts(out, ": {");
	if (check->id == ID_CTR_PUBLISHED_PORT)
		ports_patch(out, c);
	else
		pv_buf_puts(out, check->compose);
	pv_buf_puts(out, "}}");
}

static void service_ports(struct pv_buf *out, const struct ctr *c)
{
	pv_buf_puts(out, "docker service update");
	for (size_t i = 0; i < c->n_ports; i++)
		pv_buf_printf(out, " --publish-rm published=%u,target=%u", c->port[i].first, c->port[i].container);
	pv_buf_putc(out, ' ');
	remedy_word(out, c->engine_name);
}

static bool has_patch(const struct ctr *c, const struct ctr_check *check)
{
	return c->service && (check->compose || check->id == ID_CTR_PUBLISHED_PORT);
}

static void command(struct pv_buf *out, const struct ctr *c, const struct ctr_check *check)
{
	if (c->kind == SUBJECT_SERVICE && c->engine_name && check->id == ID_CTR_PUBLISHED_PORT) {
		service_ports(out, c);
	} else if (c->kind == SUBJECT_SERVICE && c->engine_name && check->service) {
		pv_buf_printf(out, "docker service update %s ", check->service);
		remedy_word(out, c->engine_name);
	} else if (c->source == CTR_INSPECT && c->kind == SUBJECT_CONTAINER && check->update && c->engine_name) {
		pv_buf_printf(out, "docker update %s ", check->update);
		remedy_word(out, c->engine_name);
	} else if (has_patch(c, check)) {
		compose_patch(out, c, check);
	}
}

void remedy_container(const struct ctr *c, const struct ctr_check *check, struct finding *f)
{
	pv_autobuf text = PV_BUF_INIT, cmd = PV_BUF_INIT;

	pv_buf_puts(&text, check->text);
	command(&cmd, c, check);
	if (c->source == CTR_INSPECT && has_patch(c, check)) {
		pv_buf_puts(&text, check->update ? "; to keep it, in the Compose file: " : "; in the Compose file: ");
		compose_patch(&text, c, check);
		pv_buf_puts(&text, ", then: docker compose -p ");
		remedy_word(&text, c->project);
		pv_buf_puts(&text, " up -d ");
		remedy_word(&text, c->service);
	} else if (c->source == CTR_INSPECT && c->kind == SUBJECT_CONTAINER && !check->update && check->run) {
		pv_buf_puts(&text, "; start ");
		remedy_word(&text, c->engine_name ? c->engine_name : "");
		pv_buf_printf(&text, " again with: %s", check->run);
	}
	finding_remedy(f, pv_buf_str(&text), cmd.len ? pv_buf_str(&cmd) : NULL);
}

/* How much two commands have in common up to their last word. */
static size_t head_len(const char *command)
{
	const char *blank = command ? strrchr(command, ' ') : NULL;

	return blank ? (size_t) (blank - command) : 0;
}

void remedy_joined(struct pv_buf *out, const struct finding *const *f, size_t n)
{
	const char *first = n ? f[0]->command : NULL;
	size_t head = first && strncmp(first, "docker update ", 14) == 0 ? head_len(first) : 0;

	if (!first)
		return;
	pv_buf_puts(out, first);
	for (size_t i = 1; i < n && head; i++)
		if (f[i]->command && head_len(f[i]->command) == head && strncmp(f[i]->command, first, head) == 0)
			pv_buf_puts(out, f[i]->command + head);
}
