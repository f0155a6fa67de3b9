#include "cmd/audit_firewall.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cmd/cmd.h"

#define TABLE      "inet pavise_audit"
#define RULES_SIZE 8192

static const char *program(const char *name)
{
	static const char *const folders[] = {"/usr/sbin", "/sbin", "/usr/local/sbin"};
	static char path[64];

	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

/* --- what a step may say --- */

/* Calls `take` for each word; false when one is refused, or there is none. */
static bool each(const char *list, bool (*take)(const char *word, void *user), void *user)
{
	char room[STEP_DIR];
	bool any = false;

	if (!text_copy(room, sizeof(room), list))
		return false;
	for (char *save, *word = strtok_r(room, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		any = true;
		if (!take(word, user))
			return false;
	}
	return any;
}

static bool iface_fits(const char *word, void *user)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	(void) user;
	return strlen(word) < 16 && strspn(word, plain) == strlen(word);
}

/* "5432/tcp" */
static bool port_of(const char *word, uint32_t *ret_port, bool *ret_udp)
{
	const char *slash = strchr(word, '/');
	char number[8];

	if (!slash || slash - word > 5 ||
	    (strcmp(slash, "/tcp") != 0 && strcmp(slash, "/udp") != 0))
		return false;
	(void) snprintf(number, sizeof(number), "%.*s", (int) (slash - word), word);
	*ret_udp = slash[1] == 'u';
	return parse_u32(number, ret_port) == 0 && *ret_port > 0 && *ret_port < 65536;
}

static bool port_fits(const char *word, void *user)
{
	uint32_t port;
	bool udp;

	(void) user;
	return port_of(word, &port, &udp);
}

bool firewall_valid(const struct audit_step *s)
{
	const char *digits = s->name + sizeof(STEP_CHAIN) - 1;

	return strncmp(s->name, STEP_CHAIN, sizeof(STEP_CHAIN) - 1) == 0 && *digits &&
	       strlen(digits) <= 20 && strspn(digits, "0123456789") == strlen(digits) &&
	       each(s->dir, iface_fits, NULL) && each(s->line, port_fits, NULL);
}

/* --- the rules --- */

static bool add_iface(const char *word, void *user)
{
	struct pv_buf *out = user;

	pv_buf_printf(out, "%s\"%s\"", out->len ? ", " : "", word);
	return true;
}

struct ports {
	struct pv_buf tcp, udp;
};

static bool add_port(const char *word, void *user)
{
	struct ports *p = user;
	struct pv_buf *to;
	uint32_t port;
	bool udp;

	if (!port_of(word, &port, &udp))
		return false;
	to = udp ? &p->udp : &p->tcp;
	pv_buf_printf(to, "%s%u", to->len ? ", " : "", port);
	return true;
}

static void rule(struct pv_buf *out, const struct audit_step *s, const char *ifaces,
		 const char *proto, const struct pv_buf *ports)
{
	if (ports->len)
		pv_buf_printf(out,
			      "; add rule " TABLE " %s iifname { %s } fib daddr type local ct "
						  "state new %s dport { %s } counter drop",
			      s->name, ifaces, proto, pv_buf_str(ports));
}

/* One transaction. -150: after connection tracking, before any DNAT. */
static void rules(struct pv_buf *out, const struct audit_step *s)
{
	pv_autobuf ifaces = PV_BUF_INIT;
	struct ports p = {.tcp.len = 0};

	(void) each(s->dir, add_iface, &ifaces);
	(void) each(s->line, add_port, &p);
	pv_buf_printf(out,
		      "add table " TABLE "; add chain " TABLE
		      " %s { type filter hook prerouting priority -150 ; }",
		      s->name);
	rule(out, s, pv_buf_str(&ifaces), "tcp", &p.tcp);
	rule(out, s, pv_buf_str(&ifaces), "udp", &p.udp);
	pv_buf_done(&p.tcp);
	pv_buf_done(&p.udp);
}

void firewall_words(struct pv_buf *out, const struct audit_step *s)
{
	pv_autobuf text = PV_BUF_INIT;

	rules(&text, s);
	pv_buf_printf(out, "nft '%s'", pv_buf_str(&text));
}

static int nft(const char *option, const char *text, bool speak)
{
	const char *const with[] = {program("nft"), option, text, NULL}, *const without[] = {
									     with[0], text, NULL};
	pv_autobuf err = PV_BUF_INIT, safe = PV_BUF_INIT;
	int r = with[0]
		    ? child_run(option ? with : without, &(struct child_io){.fd3 = -1, .err = &err})
		    : -ENOENT;

	if (r > 0 && speak) {
		pv_buf_safe(&safe, pv_buf_str(&err), 400);
		cmd_say("nft: %s", pv_buf_str(&safe));
	}
	return r > 0 ? -EREMOTEIO : r;
}

/* --- who must not be locked out --- */

static bool is_ssh(const char *word, void *user)
{
	const char *const *says = user;
	char line[32];
	uint32_t port;
	bool udp;

	if (!port_of(word, &port, &udp) || udp)
		return true;
	(void) snprintf(line, sizeof(line), "\nport %u\n", port);
	return port != 22 && !strstr(says[0], line) &&
	       (!says[1] || strtoul(says[1], NULL, 10) != port);
}

/* What sshd itself says, and the port at this end of the session that this runs in. */
static bool spares_ssh(const struct audit_step *s)
{
	const char *session = getenv("SSH_CONNECTION");
	const char *const argv[] = {program("sshd"), "-T", NULL};
	pv_autobuf out = PV_BUF_INIT, err = PV_BUF_INIT, text = PV_BUF_INIT;

	pv_buf_putc(&text, '\n');
	if (argv[0] &&
	    child_run(argv, &(struct child_io){.fd3 = -1, .out = &out, .err = &err}) == 0)
		pv_buf_puts(&text, pv_buf_str(&out));
	{
		const char *says[] = {pv_buf_str(&text), session ? strrchr(session, ' ') : NULL};

		return each(s->line, is_ssh, says);
	}
}

int firewall_prepare(const struct audit_step *s)
{
	pv_autobuf text = PV_BUF_INIT;

	if (geteuid() != 0)
		return -EPERM;
	if (!firewall_valid(s))
		return -EINVAL;
	if (!spares_ssh(s)) {
		cmd_say("this would close a port of SSH");
		return -EREMOTEIO;
	}
	rules(&text, s);
	return text.len < RULES_SIZE ? nft("-c", pv_buf_str(&text), true) : -E2BIG;
}

int firewall_put(const struct audit_step *s)
{
	pv_autobuf text = PV_BUF_INIT;

	rules(&text, s);
	return nft(NULL, pv_buf_str(&text), true);
}

int firewall_take(const struct audit_step *s)
{
	pv_autobuf text = PV_BUF_INIT;

	if (!firewall_valid(s))
		return -EINVAL;
	pv_buf_printf(&text, "list chain " TABLE " %s", s->name);
	if (nft(NULL, pv_buf_str(&text), false) == -EREMOTEIO)
		return 0;
	pv_buf_clear(&text);
	pv_buf_printf(&text, "flush chain " TABLE " %s; delete chain " TABLE " %s", s->name,
		      s->name);
	return nft(NULL, pv_buf_str(&text), true);
}
