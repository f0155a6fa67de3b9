/* ssh.*: asked of sshd itself where it can be asked, for everybody and for somebody of each Match block; read from its files
 * where not. */
#include <stdio.h>
#include <string.h>

#include "check/ask.h"
#include "check/conf_files.h"
#include "check/gather.h"
#include "check/sshd_conf.h"

#define CONF       "/etc/ssh/sshd_config"
#define CONF_BYTES (1u << 20)

static int from_files(struct audit *a, struct sshd_conf *c)
{
	const struct conf_source files = conf_source_of(a);
	pv_autobuf text = PV_BUF_INIT;
	int r = hostfs_read(&a->fs, CONF, CONF_BYTES, &text);

	return r < 0 ? r : sshd_conf_read(&a->arena, c, CONF, pv_buf_str(&text), text.len, &files);
}

/* --- who can log in how --- */

#define ASKED_MAX 24 /* times that sshd itself is asked; beyond it our own reading has to do */

struct way {
	const char *criteria;	 /* NULL: for everybody */
	struct sshd_block block; /* what holds for him, whole */
	bool own_password, own_root; /* the Match block itself says something about it */
};

struct ways {
	struct way item[SSHD_MATCHES + 1];
	size_t n, asked;
	struct sshd_conf scratch;
};

/* sshd's own account of what holds for somebody. */
static bool ask_sshd(struct audit *a, struct ways *w, const struct sshd_login *who, struct sshd_conf *ret)
{
	const char *text = sshd_login_text(&a->arena, who);
	pv_autobuf out = PV_BUF_INIT;

	if (a->saved || !text || strlen(text) >= AUDIT_TEXT || w->asked++ >= ASKED_MAX ||
	    audit_ask(a->sock, AUDIT_SSHD, 0, text, 1 << 20, &out) < 0)
		return false;
	*ret = (struct sshd_conf){ .n_ports = 0 };
	return sshd_conf_read(&a->arena, ret, "sshd -T", pv_buf_str(&out), out.len, NULL) == 0 &&
	       ret->global.value[SSHD_PASSWORD].text;
}

static void add_way(struct audit *a, struct ways *w, const struct sshd_conf *c, const struct sshd_block *match)
{
	struct way *way = &w->item[w->n];
	struct sshd_login who = sshd_stranger();

	*way = (struct way){ .criteria = match ? match->criteria : NULL };
	if (match && !sshd_login_for(&a->arena, match->criteria, &who)) {
		way->block = *match; /* nobody whom we could name: what it says, over the rest */
		for (unsigned k = 0; k < SSHD_KEYS; k++)
			if (!way->block.value[k].text)
				way->block.value[k] = c->global.value[k];
	} else {
		way->block = sshd_effective(c, &who);
		if (ask_sshd(a, w, &who, &w->scratch))
			for (unsigned k = 0; k < SSHD_KEYS; k++)
				if (w->scratch.global.value[k].text &&
				    strcmp(w->scratch.global.value[k].text, way->block.value[k].text ?: "") != 0)
					way->block.value[k] = w->scratch.global.value[k];
	}
	if (match) {
		way->own_password = match->value[SSHD_PASSWORD].text || match->value[SSHD_KBD].text ||
				    match->value[SSHD_METHODS].text;
		way->own_root = match->value[SSHD_ROOT].text;
	}
	w->n++;
}

static void find_ways(struct audit *a, struct ways *w, struct sshd_conf *c)
{
	add_way(a, w, c, NULL);
	if (w->scratch.n_ports) {
		c->n_ports = w->scratch.n_ports;
		memcpy(c->port, w->scratch.port, sizeof(c->port));
		c->unread = 0; /* sshd has read it */
	}
	for (size_t i = 0; i < c->n_matches; i++)
		add_way(a, w, c, &c->match[i]);
}

/* What was not read may allow it. */
static void not_all_read(struct finding *f, const struct sshd_conf *c)
{
	if (f->verdict == FINDING_PASS && c->cut) {
		finding_unknown(f, REASON_TOO_LARGE);
	} else if (f->verdict == FINDING_PASS && c->unread) {
		finding_unknown(f, gather_reason(c->unread));
		finding_evidence(f, "not read", c->unread_at, 0, "%s", strerror(-c->unread));
	}
}

static int password_auth(struct audit *a, const struct sshd_conf *c, const struct ways *w)
{
	struct finding *f = gather_finding(ID_SSH_PASSWORD_AUTH, FINDING_PASS, SUBJECT_HOST, "host", NULL);
	const struct sshd_value *why;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++) {
		const struct way *way = &w->item[i];

		if (!sshd_password_possible(c, &way->block, &why) || (i && f->verdict == FINDING_FAIL && !way->own_password))
			continue;
		f->verdict = FINDING_FAIL;
		if (i)
			finding_evidence(f, "Match", why->file, why->line, "%s", way->criteria);
		else
			finding_evidence(f, "for everybody", why->file, why->line, "%s", why->text ? why->text : "not set: yes");
	}
	not_all_read(f, c);
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f,
			       "with a key that works, and this session kept open; Match blocks that allow it again "
			       "must be changed by hand",
			       "printf 'PasswordAuthentication no\\nKbdInteractiveAuthentication no\\n' > "
			       "/etc/ssh/sshd_config.d/00-pavise.conf && "
			       "sshd -t && systemctl reload ssh");
	return gather_add(a, f, NULL);
}

static int root_login(struct audit *a, const struct sshd_conf *c, const struct ways *w)
{
	struct finding *f = gather_finding(ID_SSH_ROOT_LOGIN, FINDING_PASS, SUBJECT_HOST, "host", NULL);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++) {
		const struct way *way = &w->item[i];
		const char *value = sshd_root_login(c, &way->block);

		if (strcmp(value, "no") == 0 || (i && !way->own_root))
			continue;
		if (f->verdict != FINDING_FAIL)
			f->severity = SEV_MEDIUM;
		if (strcmp(value, "yes") == 0)
			f->severity = SEV_HIGH;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "PermitRootLogin", way->block.value[SSHD_ROOT].file, way->block.value[SSHD_ROOT].line,
				 "%s%s%s", value, i ? " for " : "", i ? way->criteria : "");
	}
	not_all_read(f, c);
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "first make sure that another user can log in and use sudo",
			       "printf 'PermitRootLogin no\\n' > /etc/ssh/sshd_config.d/00-pavise-root.conf && sshd -t "
			       "&& systemctl reload ssh");
	return gather_add(a, f, NULL);
}

/* --- who locks out --- */

struct search {
	struct audit *a;
	const char *found;
};

static int look_process(const char *name, unsigned char type, void *user)
{
	static const char *const engines[] = { "fail2ban-server", "crowdsec",      "sshguard",
					       "sshg-parser",     "pavise-engine", "denyhosts" };
	struct search *s = user;
	pv_autobuf text = PV_BUF_INIT;
	char path[64];

	(void) type;
	if (*name < '0' || *name > '9' || strlen(name) > 10)
		return 0;
	(void) snprintf(path, sizeof(path), "/proc/%.10s/comm", name);
	if (hostfs_read(&s->a->fs, path, 64, &text) < 0 || !text.len)
		return 0;
	text.data[strcspn(text.data, "\n")] = '\0';
	for (size_t i = 0; i < N_ELEMENTS(engines); i++)
		if (strncmp(text.data, engines[i], 15) == 0) { /* comm is cut at 15 */
			s->found = engines[i];
			return 1;
		}
	return 0;
}

static int ban_engine(struct audit *a, const struct sshd_conf *c, const struct ways *w)
{
	struct finding *f = gather_finding(ID_SSH_BAN_ENGINE, FINDING_PASS, SUBJECT_HOST, "host", NULL);
	struct search s = { .a = a };
	const struct sshd_value *why;
	int r = hostfs_list(&a->fs, "/proc", 200000, look_process, &s);

	if (!f)
		return -ENOMEM;
	if (s.found) {
		finding_evidence(f, "running", NULL, 0, "%s", s.found);
	} else if (r < 0) {
		finding_unknown(f, gather_reason(r));
	} else {
		f->verdict = FINDING_FAIL;
		if (!c->unread && !sshd_password_possible(c, &w->item[0].block, &why))
			f->severity = SEV_LOW; /* there is no password to guess */
		finding_remedy(f, "start one, or let pavise do it",
			       "apt install fail2ban && systemctl enable --now fail2ban");
	}
	return gather_add(a, f, NULL);
}

static int for_all(struct audit *a, int reason)
{
	static const enum id ids[] = { ID_SSH_PASSWORD_AUTH, ID_SSH_ROOT_LOGIN, ID_SSH_BAN_ENGINE };
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(ids) && r == 0; i++)
		if (a->select.on[ids[i]])
			r = reason == -ENOENT
				    ? gather_add(a,
						 gather_finding(ids[i], FINDING_NOT_APPLICABLE, SUBJECT_HOST, "host",
								NULL),
						 NULL)
				    : gather_unknown(a, ids[i], SUBJECT_HOST, "host", gather_reason(reason), CONF);
	return r;
}

/* systemd can listen in sshd's place, on ports of its own. */
static bool socket_listens(struct audit *a)
{
	static const char *const own[] = { "/etc/systemd/system/ssh.socket", "/etc/systemd/system/ssh.socket.d", "/etc/systemd/system/sshd.socket",
		"/etc/systemd/system/sshd.socket.d" };
	struct stat st;

	for (size_t i = 0; i < N_ELEMENTS(own); i++)
		if (hostfs_stat(&a->fs, own[i], true, &st) != -ENOENT)
			return true;
	return false;
}

int check_sshd(struct audit *a)
{
	struct sshd_conf *c = arena_alloc(&a->arena, sizeof(*c));
	struct ways *w = arena_alloc(&a->arena, sizeof(*w));
	int r = c && w ? from_files(a, c) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	a->policy.ssh_unsure = r < 0 && r != -ENOENT;
	if (r < 0)
		return for_all(a, r);
	find_ways(a, w, c);
	a->policy.ssh_unsure = c->unread || c->cut || socket_listens(a);
	for (size_t i = 0; i < (c->n_ports ? c->n_ports : 1) && a->policy.n_ssh_ports < SSH_PORTS; i++)
		a->policy.ssh_ports[a->policy.n_ssh_ports++] = (uint16_t) (c->n_ports ? c->port[i] : 22);
	if (a->select.on[ID_SSH_PASSWORD_AUTH])
		r = password_auth(a, c, w);
	if (r == 0 && a->select.on[ID_SSH_ROOT_LOGIN])
		r = root_login(a, c, w);
	if (r == 0 && a->select.on[ID_SSH_BAN_ENGINE])
		r = ban_engine(a, c, w);
	return r;
}
