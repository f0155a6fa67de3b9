/* fw.*, host.panel-exposed, host.swarm-ports: what a stranger can reach, as reach.h has worked it out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/ask.h"
#include "check/reach.h"
#include "check/remedy.h"

struct view {
	struct audit *a;
	struct reach *r;
	struct pv_buf owners; /* lines: inode, process id, name */
};

static struct finding *host_finding(enum id id)
{
	return gather_finding(id, FINDING_PASS, SUBJECT_HOST, "host", NULL);
}

static bool ssh_port(const struct check_policy *p, unsigned port)
{
	for (size_t i = 0; i < p->n_ssh_ports; i++)
		if (p->ssh_ports[i] == port)
			return true;
	return false;
}

/* --- who holds a socket --- */

static void ask_owners(struct view *v)
{
	pv_autobuf inodes = PV_BUF_INIT;

	for (size_t i = 0; i <= v->r->n; i++) {
		bool last = i == v->r->n;

		if (inodes.len && (last || inodes.len > AUDIT_TEXT - 24)) {
			pv_autobuf text = PV_BUF_INIT;

			if (!v->a->saved &&
			    audit_ask(v->a->sock, AUDIT_OWNERS, 0, pv_buf_str(&inodes), 65536, &text) == 0)
				pv_buf_add(&v->owners, pv_buf_str(&text), text.len);
			pv_buf_clear(&inodes);
		}
		if (!last && v->r->item[i].inode)
			pv_buf_printf(&inodes, "%s%" PRIu64, inodes.len ? " " : "", v->r->item[i].inode);
	}
}

/* "node, process 812", or "" */
static void owner_text(const struct view *v, uint64_t inode, char *out, size_t size)
{
	char line[32];
	const char *p = pv_buf_str(&v->owners);
	char *end;
	long pid;

	*out = '\0';
	(void) snprintf(line, sizeof(line), "%" PRIu64 " ", inode);
	while (inode && p && *p && strncmp(p, line, strlen(line)) != 0) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	if (!inode || !p || !*p)
		return;
	pid = strtol(p + strlen(line), &end, 10);
	p = end + (*end == ' ');
	(void) snprintf(out, size, "%.*s, process %ld", (int) PV_MIN(strcspn(p, "\n"), (size_t) 64), p, pid);
}

/* Without its proxy dockerd itself holds published ports, so that nobody else takes them; nobody is behind it there. */
static void drop_placeholders(struct view *v)
{
	size_t kept = 0;
	char owner[128];

	for (size_t i = 0; i < v->r->n; i++) {
		const struct reach_port *p = &v->r->item[i];

		owner_text(v, p->inode, owner, sizeof(owner));
		if (p->by == REACH_SOCKET && p->ctr && strncmp(owner, "dockerd,", 8) == 0)
			continue;
		v->r->item[kept++] = *p;
	}
	v->r->n = kept;
}

static const char *families(const struct reach_port *p)
{
	return p->v4 && p->v6 ? "IPv4 and IPv6" : p->v6 ? "IPv6" : "IPv4";
}

/* `8080/tcp over IPv4 (node, process 812)` */
static void port_evidence(const struct view *v, struct finding *f, const char *what, const struct reach_port *p,
			  const char *more)
{
	char owner[128], to[80] = "";
	pv_autobuf addr = PV_BUF_INIT;

	owner_text(v, p->inode, owner, sizeof(owner));
	if (p->by == REACH_FORWARD && v->r->from == WALL_RULES) {
		ip_format(&addr, &p->to);
		(void) snprintf(to, sizeof(to), ", handed on to %s port %u", pv_buf_str(&addr), p->to_port);
	}
	finding_evidence(f, what, NULL, 0, "%u/%s over %s%s%s%s%s%s", p->port, p->udp ? "udp" : "tcp", families(p), to,
			 *owner ? " (" : "", owner, *owner ? ")" : "", more);
}

/* For whoever closes it; SSH is never among them. */
static void can_close(const struct view *v, enum id id, unsigned port, bool udp)
{
	struct audit_open *more;

	for (size_t i = 0; i < v->a->n_open; i++)
		if (v->a->open[i].port == port && v->a->open[i].udp == udp && v->a->open[i].id == id)
			return;
	more = arena_grow(&v->a->arena, v->a->open, v->a->n_open, sizeof(*more));
	if (!more || (!udp && ssh_port(&v->a->policy, port)))
		return;
	v->a->open = more;
	more[v->a->n_open++] = (struct audit_open){ .port = port, .udp = udp, .id = id };
}

static void outside(struct view *v)
{
	const char *list = "";

	for (size_t i = 0; i < v->r->net.n_addrs && list; i++) {
		const struct host_addr *h = &v->r->net.addr[i], *other = v->r->net.addr;
		bool again = !h->outside || !h->iface;

		for (size_t k = 0; k < i && !again; k++)
			again = other[k].outside && other[k].iface && strcmp(other[k].iface, h->iface) == 0;
		if (!again)
			list = arena_printf(&v->a->arena, "%s%s%s", list, *list ? " " : "", h->iface);
	}
	v->a->outside = list ? list : "";
}

/* --- ports of the host itself --- */

/* A container's published port, whoever carries it (Docker's proxy listens for some). */
static bool is_published(const struct reach_port *p)
{
	return p->by == REACH_FORWARD || p->ctr;
}

static int listening(struct view *v)
{
	struct finding *f = host_finding(ID_FW_LISTENING);
	const struct check_policy *policy = &v->a->policy;
	bool unsure = false;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < v->r->n; i++) {
		const struct reach_port *p = &v->r->item[i];

		if (is_published(p) || check_port_allowed(policy, p->port) || (!p->udp && ssh_port(policy, p->port)))
			continue;
		unsure = unsure || p->unsure;
		if (p->unsure)
			continue;
		f->verdict = FINDING_FAIL;
		port_evidence(v, f, "reachable", p, "");
		can_close(v, f->id, p->port, p->udp);
	}
	if (f->verdict == FINDING_PASS && v->r->from == WALL_UNKNOWN) {
		finding_unknown(f, v->r->reason);
		finding_evidence(f, "could not be read", NULL, 0, "%s", v->r->why);
	} else if (f->verdict == FINDING_PASS && (v->r->sockets.error < 0 || v->r->cut)) {
		finding_unknown(f, v->r->cut ? REASON_TOO_LARGE : gather_reason(v->r->sockets.error));
	} else if (f->verdict == FINDING_PASS && unsure) {
		finding_unknown(f, REASON_UNSUPPORTED);
		finding_evidence(f, "firewall", NULL, 0, "it has rules that cannot be judged from outside");
	}
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "bind it to 127.0.0.1, stop it, close it in the firewall, or add the port to policy.ports",
			       "pavise audit --only fw.listening --fix --guarded");
	return gather_add(v->a, f, NULL);
}

/* --- published ports --- */

static void bypass_remedy(const struct view *v, struct finding *f, const struct reach_port *p)
{
	const char *blank = strchr(v->a->outside, ' ');
	pv_autobuf text = PV_BUF_INIT;

	if (f->remedy)
		return;
	pv_buf_puts(&text, "publish it on 127.0.0.1 (\"127.0.0.1:PORT:PORT\"), or drop it before Docker hands it on, in the chain that Docker "
			   "leaves to you: iptables -I DOCKER-USER -i ");
	remedy_word(&text, !*v->a->outside ? "eth0" : blank ? arena_ndup(&v->a->arena, v->a->outside, (size_t) (blank - v->a->outside)) ?: "" : v->a->outside);
	pv_buf_printf(&text, " -p %s -m conntrack --ctorigdstport %u --ctdir ORIGINAL -j DROP; what is meant to be open belongs into policy.ports",
		      p->udp ? "udp" : "tcp", p->port);
	finding_remedy(f, pv_buf_str(&text), "pavise audit --only fw.docker-bypass --fix --guarded");
}

static bool any_published(const struct audit *a, const struct ctr **ret_gap)
{
	bool any = false;

	*ret_gap = NULL;
	for (size_t i = 0; i < a->containers.n; i++) {
		any = any || a->containers.item[i]->n_ports;
		if (a->containers.item[i]->gap[CTR_PORTS].reason)
			*ret_gap = a->containers.item[i];
	}
	return any;
}

static int docker_bypass(struct view *v)
{
	struct finding *f = host_finding(ID_FW_DOCKER_BYPASS);
	const struct ctr *gap;
	bool any = any_published(v->a, &gap), unsure = false;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < v->r->n; i++) {
		const struct reach_port *p = &v->r->item[i];
		bool denied;

		if (!is_published(p))
			continue;
		any = true;
		if (check_port_allowed(&v->a->policy, p->port))
			continue;
		unsure = unsure || p->unsure;
		if (p->unsure)
			continue;
		denied = v->r->from != WALL_NOTHING && reach_input(v->r, p->udp, p->port) == FW_STOPS;
		f->verdict = FINDING_FAIL;
		port_evidence(v, f, p->ctr ? p->ctr->name : "forwarded", p,
			      denied ? ", although the firewall denies it" : "");
		bypass_remedy(v, f, p);
		can_close(v, f->id, p->port, p->udp);
	}
	if (f->verdict == FINDING_FAIL)
		return gather_add(v->a, f, NULL);
	if (gap)
		finding_unknown(f, gap->gap[CTR_PORTS].reason);
	else if (any && v->r->from == WALL_UNKNOWN)
		finding_unknown(f, v->r->reason);
	else if (any && v->r->cut)
		finding_unknown(f, REASON_TOO_LARGE);
	else if (unsure)
		finding_unknown(f, REASON_UNSUPPORTED);
	else if (!any)
		f->verdict = FINDING_NOT_APPLICABLE;
	return gather_add(v->a, f, NULL);
}

/* --- what nobody has asked for --- */

/* Lets in what is meant to be open, then closes the rest; never without sshd's own ports, which the profile OpenSSH (22
 * alone) does not know. `more` are further rules. */
static void ufw_remedy(const struct view *v, struct finding *f, const char *text, const char *before, const char *more)
{
	const struct check_policy *p = &v->a->policy;
	pv_autobuf cmd = PV_BUF_INIT;

	pv_buf_printf(&cmd, "%sufw default deny incoming", before);
	for (size_t i = 0; i < p->n_ssh_ports; i++)
		pv_buf_printf(&cmd, " && ufw allow %u/tcp", p->ssh_ports[i]);
	if (!p->n_ssh_ports)
		pv_buf_puts(&cmd, " && ufw allow OpenSSH");
	for (size_t i = 0; i < p->n_ports; i++)
		pv_buf_printf(&cmd, " && ufw allow %u", p->ports[i]);
	pv_buf_printf(&cmd, "%s && ufw enable", more);
	finding_remedy(f, text, p->ssh_unsure ? NULL : pv_buf_str(&cmd));
}

/* Ports that no rule speaks of stand for all of those. */
static int default_deny(struct view *v)
{
	static const unsigned some[] = { 9, 1967, 40961 };
	struct finding *f = host_finding(ID_FW_ACTIVE_DEFAULT_DENY);
	unsigned seen = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * N_ELEMENTS(some) && v->r->from != WALL_UNKNOWN && v->r->from != WALL_NOTHING; i++) {
		unsigned port = some[i / 2], one;

		while (port < 65535 && fw_names_port(&v->r->fw, port))
			port++;
		one = reach_input(v->r, i % 2, port);
		seen |= one;
		if (one & FW_PASSES)
			finding_evidence(f, "let in", NULL, 0, "%u/%s, which no rule speaks of%s", port,
					 i % 2 ? "udp" : "tcp", one & FW_STOPS ? ", on some addresses" : "");
	}
	if (v->r->from == WALL_NOTHING && hostfs_stat(&v->a->fs, "/etc", true, &(struct stat){ .st_size = 0 }) < 0) {
		finding_unknown(f, REASON_ABSENT);
	} else if (v->r->from == WALL_UNKNOWN) {
		finding_unknown(f, v->r->reason);
		finding_evidence(f, "could not be read", NULL, 0, "%s", v->r->why);
	} else if (v->r->from == WALL_NOTHING || seen & FW_PASSES) {
		f->verdict = FINDING_FAIL;
		if (v->r->from == WALL_NOTHING)
			finding_evidence(f, "firewall", NULL, 0, "none is set up on this host");
		ufw_remedy(v, f,
			   "let in SSH and policy.ports, and nothing else; published container ports go past it: bind them to "
			   "127.0.0.1",
			   "apt install ufw && ", "");
	}
	return gather_add(v->a, f, NULL);
}

/* --- Swarm --- */

static int swarm_ports(struct view *v)
{
	static const struct {
		unsigned port;
		bool udp;
	} ports[] = { { 2377, false }, { 7946, false }, { 7946, true }, { 4789, true } };
	struct finding *f = host_finding(ID_HOST_SWARM_PORTS);
	struct audit *a = v->a;

	if (!f)
		return -ENOMEM;
	if (!a->policy.host_known && a->containers.n) {
		finding_unknown(f, REASON_ABSENT);
	} else if (!a->policy.swarm) {
		f->verdict = FINDING_NOT_APPLICABLE;
	} else if (v->r->from == WALL_UNKNOWN) {
		finding_unknown(f, v->r->reason);
		finding_evidence(f, "could not be read", NULL, 0, "%s", v->r->why);
	}
	for (size_t i = 0; i < N_ELEMENTS(ports) && (f->verdict == FINDING_PASS || f->verdict == FINDING_FAIL); i++) {
		unsigned one = reach_input(v->r, ports[i].udp, ports[i].port);

		if (one == FW_STOPS)
			continue;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "let in", NULL, 0, "%u/%s from everybody%s", ports[i].port,
				 ports[i].udp ? "udp" : "tcp", one & FW_STOPS ? ", on some addresses" : "");
	}
	if (f->verdict == FINDING_FAIL)
		ufw_remedy(v, f,
			   "for each other node's address (NODE): allow it, and nobody else, to 2377/tcp, 7946 and "
			   "4789/udp",
			   "",
			   " && ufw allow from NODE to any port 2377,7946 proto tcp && "
			   "ufw allow from NODE to any port 7946,4789 proto udp");
	return gather_add(a, f, NULL);
}

/* --- panels, by the image or the program that runs --- */

static const struct {
	const char *image, *name;
	unsigned port;
} panels[] = {
	{ "dokploy/dokploy", "Dokploy", 3000 },       { "coollabsio/coolify", "Coolify", 8080 },
	{ "coollabsio/coolify", "Coolify", 8000 },    { "portainer/portainer", "Portainer", 9000 },
	{ "portainer/portainer", "Portainer", 9443 }, { "traefik", "Traefik's dashboard", 8080 },
};

static bool image_is(const char *image, const char *want)
{
	const char *at = image ? strstr(image, want) : NULL;
	size_t n = strlen(want);

	return at && (at == image || at[-1] == '/') && (at[n] == '\0' || strchr(":@-", at[n]));
}

static const struct reach_port *reached(const struct reach *r, unsigned port)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->item[i].udp && r->item[i].port == port && !r->item[i].unsure)
			return &r->item[i];
	return NULL;
}

static void panel_remedy(struct finding *f, const struct ctr *c, const struct ctr_port *p)
{
	pv_autobuf cmd = PV_BUF_INIT;

	if (f->command || c->kind != SUBJECT_SERVICE || !c->engine_name)
		return;
	pv_buf_puts(&cmd, "docker service update");
	remedy_publish_rm(&cmd, p);
	pv_buf_putc(&cmd, ' ');
	remedy_word(&cmd, c->engine_name);
	finding_remedy(f, "then reach it through a tunnel: ssh -L 3000:127.0.0.1:3000 SERVER", pv_buf_str(&cmd));
}

static void panel_of(const struct view *v, const struct ctr *c, size_t which, struct finding *f)
{
	bool sure = v->r->from == WALL_RULES;

	if (c->gap[CTR_PORTS].reason && f->verdict == FINDING_PASS)
		finding_unknown(f, c->gap[CTR_PORTS].reason);
	for (size_t k = 0; k < c->n_ports; k++) {
		const struct ctr_port *p = &c->port[k];

		if (p->container != panels[which].port || ctr_loopback(p->address) || (sure && !reached(v->r, p->first)))
			continue;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, panels[which].name, NULL, 0, "%s publishes port %u on every address", c->name,
				 p->first);
		panel_remedy(f, c, p);
		can_close(v, f->id, p->first, false);
	}
	if (strcmp(c->net.text ? c->net.text : "", "host") == 0 && (!sure || reached(v->r, panels[which].port))) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, panels[which].name, NULL, 0, "%s uses the host's network", c->name);
	}
}

/* Ports that panels use, taken by somebody else: named, so that the owner can tell. */
static void panel_ports(const struct view *v, struct finding *f, bool *any)
{
	static const unsigned ports[] = { 3000, 8000, 8080, 9000, 9443 };
	static const char *const programs[] = { "dokploy", "coolify", "portainer", "traefik" };

	for (size_t i = 0; i < N_ELEMENTS(ports); i++) {
		const struct reach_port *p = reached(v->r, ports[i]);
		char owner[128];
		bool panel = false;

		if (!p || p->ctr)
			continue;
		owner_text(v, p->inode, owner, sizeof(owner));
		for (size_t k = 0; k < N_ELEMENTS(programs); k++)
			panel = panel || strncmp(owner, programs[k], strlen(programs[k])) == 0;
		if (panel) {
			can_close(v, f->id, ports[i], false);
			*any = true;
			f->verdict = FINDING_FAIL;
		}
		port_evidence(v, f, panel ? "panel" : "no panel that is known", p, "");
	}
}

static int panel(struct view *v)
{
	struct finding *f = host_finding(ID_HOST_PANEL_EXPOSED);
	bool any = false;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < v->a->containers.n; i++)
		for (size_t k = 0; k < N_ELEMENTS(panels); k++)
			if (image_is(v->a->containers.item[i]->image.text, panels[k].image)) {
				any = true;
				panel_of(v, v->a->containers.item[i], k, f);
			}
	panel_ports(v, f, &any);
	if (!any)
		f->verdict = FINDING_NOT_APPLICABLE;
	if (f->verdict == FINDING_FAIL && !f->remedy)
		finding_remedy(f,
			       "publish it on 127.0.0.1 only, and reach it through a tunnel: ssh -L "
			       "3000:127.0.0.1:3000 SERVER",
			       NULL);
	return gather_add(v->a, f, NULL);
}

/* Whether somebody has registered stands in the panel's database; from outside only its own page tells. */
static int setup_open(struct view *v)
{
	struct finding *f = host_finding(ID_HOST_DOKPLOY_SETUP_OPEN);
	bool any = false, exposed = false;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < v->a->containers.n; i++) {
		const struct ctr *c = v->a->containers.item[i];

		if (!image_is(c->image.text, "dokploy/dokploy"))
			continue;
		any = true;
		for (size_t k = 0; k < c->n_ports; k++)
			exposed = exposed || (!ctr_loopback(c->port[k].address) &&
					      (v->r->from != WALL_RULES || reached(v->r, c->port[k].first)));
	}
	if (!any)
		f->verdict = FINDING_NOT_APPLICABLE;
	else if (exposed)
		finding_unknown(f, REASON_BY_NATURE);
	return gather_add(v->a, f, NULL);
}

int check_firewall(struct audit *a)
{
	static const struct {
		enum id id;
		int (*check)(struct view *v);
	} checks[] = { { ID_FW_LISTENING, listening },
		       { ID_FW_DOCKER_BYPASS, docker_bypass },
		       { ID_FW_ACTIVE_DEFAULT_DENY, default_deny },
		       { ID_HOST_PANEL_EXPOSED, panel },
		       { ID_HOST_DOKPLOY_SETUP_OPEN, setup_open },
		       { ID_HOST_SWARM_PORTS, swarm_ports } };
	struct view v = { .a = a };
	bool wanted = false;
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(checks); i++)
		wanted = wanted || a->select.on[checks[i].id];
	if (!wanted)
		return 0;
	v.r = reach_find(a);
	if (!v.r)
		return -ENOMEM;
	outside(&v);
	ask_owners(&v);
	drop_placeholders(&v);
	for (size_t i = 0; i < N_ELEMENTS(checks) && r == 0; i++)
		if (a->select.on[checks[i].id])
			r = checks[i].check(&v);
	pv_buf_done(&v.owners);
	return r;
}
