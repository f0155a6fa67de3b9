/* ssh.*: asked of sshd itself where it can be asked, of its files where not; Match blocks from the files. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
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

/* What sshd says of itself replaces what we read globally; Match blocks stay ours. */
static void from_sshd(struct audit *a, struct sshd_conf *c)
{
	pv_autobuf text = PV_BUF_INIT;
	struct sshd_conf *own;

	if (a->saved || audit_ask(a->sock, AUDIT_SSHD, 0, "", 1 << 20, &text) < 0)
		return;
	own = arena_alloc(&a->arena, sizeof(*own));
	if (!own || sshd_conf_read(&a->arena, own, "sshd -T", pv_buf_str(&text), text.len, NULL) < 0 ||
	    !own->global.value[SSHD_PASSWORD].text)
		return;
	c->global = own->global;
	c->n_ports = own->n_ports;
	memcpy(c->port, own->port, sizeof(c->port));
}

static int password_auth(struct audit *a, const struct sshd_conf *c)
{
	struct finding *f = gather_finding(ID_SSH_PASSWORD_AUTH, FINDING_PASS, SUBJECT_HOST, "host", NULL);
	const struct sshd_value *why;

	if (!f)
		return -ENOMEM;
	if (sshd_password_possible(c, &c->global, &why)) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "for everybody", why->file, why->line, "%s",
				 why->text ? why->text : "not set: yes");
	}
	for (size_t i = 0; i < c->n_matches; i++)
		if (sshd_password_possible(c, &c->match[i], &why) &&
		    (c->match[i].value[SSHD_PASSWORD].text || c->match[i].value[SSHD_KBD].text)) {
			f->verdict = FINDING_FAIL;
			finding_evidence(f, "Match", why->file, why->line, "%s", c->match[i].criteria);
		}
	if (f->verdict == FINDING_PASS && c->cut)
		finding_unknown(f, REASON_TOO_LARGE);
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f,
			       "with a key that works, and this session kept open; Match blocks that allow it again "
			       "must be changed by hand",
			       "printf 'PasswordAuthentication no\\nKbdInteractiveAuthentication no\\n' > "
			       "/etc/ssh/sshd_config.d/00-pavise.conf && "
			       "sshd -t && systemctl reload ssh");
	return gather_add(a, f, NULL);
}

static int root_login(struct audit *a, const struct sshd_conf *c)
{
	struct finding *f = gather_finding(ID_SSH_ROOT_LOGIN, FINDING_PASS, SUBJECT_HOST, "host", NULL);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i <= c->n_matches; i++) {
		const struct sshd_block *b = i ? &c->match[i - 1] : &c->global;
		const char *value = sshd_root_login(c, b);

		if (strcmp(value, "no") == 0 || (i && !b->value[SSHD_ROOT].text))
			continue;
		if (f->verdict != FINDING_FAIL)
			f->severity = SEV_MEDIUM;
		if (strcmp(value, "yes") == 0)
			f->severity = SEV_HIGH;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "PermitRootLogin", b->value[SSHD_ROOT].file, b->value[SSHD_ROOT].line, "%s%s%s",
				 value, i ? " for " : "", i ? b->criteria : "");
	}
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

static int ban_engine(struct audit *a, const struct sshd_conf *c)
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
		if (!sshd_password_possible(c, &c->global, &why))
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

int check_sshd(struct audit *a)
{
	struct sshd_conf *c = arena_alloc(&a->arena, sizeof(*c));
	int r = c ? from_files(a, c) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return for_all(a, r);
	from_sshd(a, c);
	for (size_t i = 0; i < (c->n_ports ? c->n_ports : 1) && a->policy.n_ssh_ports < SSH_PORTS; i++)
		a->policy.ssh_ports[a->policy.n_ssh_ports++] = (uint16_t) (c->n_ports ? c->port[i] : 22);
	if (a->select.on[ID_SSH_PASSWORD_AUTH])
		r = password_auth(a, c);
	if (r == 0 && a->select.on[ID_SSH_ROOT_LOGIN])
		r = root_login(a, c);
	if (r == 0 && a->select.on[ID_SSH_BAN_ENGINE])
		r = ban_engine(a, c);
	return r;
}
