#include "report/tell.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/log_event.h"
#include "report/words.h"

static void put_allow(struct pv_buf *out, const char *name)
{
	pv_buf_puts(out, name[0] == '-' ? "pavise allow -- " : "pavise allow ");
	words_shell(out, name);
}

void tell_allow(struct notice *n, const char *name, const char *signal)
{
	pv_autobuf b = PV_BUF_INIT;

	put_allow(&b, name);
	if (signal)
		pv_buf_printf(&b, " %s", signal);
	/* A command that was cut would do something else. */
	if (!text_copy(n->next, sizeof(n->next), pv_buf_str(&b)))
		(void) text_copy(n->next, sizeof(n->next), "pavise allow --help");
}

void tell_renamed(struct notice *n, const char *name)
{
	pv_autobuf before = PV_BUF_INIT;
	char signal[sizeof(n->next)];
	const char *rest;

	put_allow(&before, n->subject);
	(void) text_copy(n->subject, sizeof(n->subject), name);
	if (strncmp(n->next, pv_buf_str(&before), before.len) != 0)
		return;
	rest = n->next + before.len;
	(void) text_copy(signal, sizeof(signal), *rest ? rest + 1 : "");
	if (!*rest || *rest == ' ')
		tell_allow(n, name, *signal ? signal : NULL);
}

static bool was_refused(const struct notice *n)
{
	return n->action == DONE_BLOCKED || n->action == DONE_WOULD_BLOCK;
}

void tell_net(struct notice *n, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	pv_autobuf text = PV_BUF_INIT, at = PV_BUF_INIT;
	bool udp = proto == IPPROTO_UDP;

	ip_format(&text, addr);
	pv_buf_printf(&at, ip_is_v4(addr) ? "%s:%u" : "[%s]:%u", pv_buf_str(&text), port);
	if (was_refused(n))
		notice_set_what(n, "tried to %s %s (mining port)", udp ? "send UDP to" : "connect to", pv_buf_str(&at));
	else
		notice_set_what(n, "%s %s (mining port)", udp ? "sent UDP to" : "connected to", pv_buf_str(&at));
	notice_add_evidence(n, "address", "%s", pv_buf_str(&text));
	notice_add_evidence(n, "port", "%u", port);
	notice_add_evidence(n, "protocol", "%s", udp ? "udp" : "tcp");
	tell_allow(n, n->subject, signal_name(SIGNAL_NET));
}

static void put_address(struct notice *n, struct pv_buf *at, const uint8_t daddr[16], uint16_t port)
{
	pv_autobuf text = PV_BUF_INIT;
	struct ip_addr addr;

	memcpy(addr.b, daddr, sizeof(addr.b));
	ip_format(&text, &addr);
	pv_buf_printf(at, ip_is_v4(&addr) ? "%s:%u" : "[%s]:%u", pv_buf_str(&text), port);
	notice_add_evidence(n, "address", "%s", pv_buf_str(&text));
	notice_add_evidence(n, "port", "%u", port);
}

void tell_watched(struct notice *n, const struct event_net *e)
{
	static const char *const what[] = { [PV_NET_POOL] = "a port that mining pools use", [PV_NET_DOT] = "DNS over TLS",
					    [PV_NET_DOH] = "a public resolver's HTTPS" };
	pv_autobuf at = PV_BUF_INIT;
	uint8_t which = e->what <= PV_NET_DOH ? e->what : PV_NET_POOL;

	put_address(n, &at, e->daddr, e->dport);
	notice_set_what(n, was_refused(n) ? "tried to connect to %s (%s)" : "connected to %s (%s)", pv_buf_str(&at), what[which]);
	notice_add_evidence(n, "protocol", "%s", e->proto == IPPROTO_UDP ? "udp" : "tcp");
	tell_allow(n, n->subject, signal_name(which == PV_NET_POOL ? SIGNAL_NET : SIGNAL_DNS));
}

/* A name is up to 1,000 characters once its bytes are written out: its end, the part that somebody bought, is kept. */
static const char *name_end(const char *name, size_t max)
{
	size_t len = strlen(name);

	return len > max ? name + (len - max) : name;
}

#define NAME_SHOWN 180

void tell_dns(struct notice *n, const char *name, const char *pattern, const char *client, const char *resolver)
{
	const char *end = name_end(name, NAME_SHOWN), *dots = end == name ? "" : "…";

	if (!client || !resolver)
		notice_set_what(n, "asked for %s%s (mining pool name)", dots, end);
	else if (strcmp(client, n->subject) == 0)
		notice_set_what(n, "asked for %s%s (mining pool name) through %.80s", dots, end, resolver);
	else
		notice_set_what(n, "passed on a question for %s%s (mining pool name) from %.80s", dots, end, client);
	notice_add_evidence(n, "name", "%s%s", dots, end);
	if (*pattern)
		notice_add_evidence(n, "pattern", "%s", pattern);
	if (client)
		notice_add_evidence(n, "client", "%s", client);
	if (resolver)
		notice_add_evidence(n, "resolver", "%s", resolver);
	/* The kernel meets the question in the resolver's cgroup: it is the one that an exception must name. */
	tell_allow(n, resolver ? resolver : n->subject, signal_name(SIGNAL_DNS));
}

#define UNKEPT                                                                                                        \
	"no room for the beginning of what it says: joined groups and filters take it (net.core.optmem_max), and words " \
	"and names that come piece by piece can be hidden so"

void tell_opening(struct notice *n, const struct event_dns *e, const char *name)
{
	const char *end = name_end(name, NAME_SHOWN), *dots = end == name ? "" : "…";
	pv_autobuf at = PV_BUF_INIT;
	bool refused = was_refused(n), resolver = e->what == PV_OPENING_RESOLVER;

	put_address(n, &at, e->daddr, e->dport);
	if (e->what == PV_OPENING_MINER) {
		notice_set_what(n, refused ? "tried to log in to a mining pool at %s" : "logged in to a mining pool at %s", pv_buf_str(&at));
		notice_add_evidence(n, "seen", "%s", "words of a miner's protocol in what it sent");
	} else if (e->what == PV_OPENING_URGENT) {
		notice_set_what(n, "%s words to %s with an octet that the other end may leave out", refused ? "began to send" : "sent", pv_buf_str(&at));
		notice_add_evidence(n, "seen", "%s", "urgent data (MSG_OOB) in a connection's first words: miners' words and names can be hidden so");
	} else if (e->what == PV_OPENING_UNKEPT) {
		n->severity = SEV_MEDIUM; /* an honest program may be out of memory */
		notice_set_what(n, "%s to %s through a socket whose memory is used up", refused ? "tried to speak" : "spoke", pv_buf_str(&at));
		notice_add_evidence(n, "seen", "%s", UNKEPT);
	} else {
		notice_set_what(n, "%s %s%s at %s by TLS (%s)", refused ? "tried to reach" : "reached", dots, end, pv_buf_str(&at),
				resolver ? "a public resolver" : "mining pool name");
		notice_add_evidence(n, "name", "%s%s", dots, end);
	}
	tell_allow(n, n->subject, signal_name(resolver ? SIGNAL_DNS : SIGNAL_NET));
}

void tell_dns_odd(struct notice *n, const struct event_dns *e)
{
	pv_autobuf text = PV_BUF_INIT;
	struct ip_addr resolver;

	memcpy(resolver.b, e->daddr, 16);
	ip_format(&text, &resolver);
	if (e->what == PV_OPENING_UNKEPT) {
		notice_set_what(n, "%s to %s for DNS through a socket whose memory is used up", was_refused(n) ? "tried to connect" : "connected",
				pv_buf_str(&text));
		notice_add_evidence(n, "seen", "%s", UNKEPT);
	} else {
		notice_set_what(n, "sent %s a DNS question that cannot be read", pv_buf_str(&text));
	}
	notice_add_evidence(n, "resolver", "%s", pv_buf_str(&text));
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

/* "half way to being killed", for the warning before an act. */
static const char *half_way(enum pv_action planned)
{
	switch (planned) {
	case ACTION_KILL:
		return ", half way to being killed";
	case ACTION_STOP:
		return ", half way to being stopped";
	case ACTION_FREEZE:
		return ", half way to being frozen";
	default:
		return ", half way to an alert";
	}
}

/* `used 98 % of a core for 5m`, after what `who` says. */
static void cpu_words(struct notice *n, const struct verdict *v, enum pv_action planned, const char *who)
{
	pv_autobuf mean = PV_BUF_INIT, limit = PV_BUF_INIT, window = PV_BUF_INIT, waited = PV_BUF_INIT;

	words_percent(&mean, v->value);
	words_percent(&limit, v->limit);
	clock_duration(&window, v->window_us);
	words_percent(&waited, v->pressure);
	notice_set_what(n, "%sused %s of a core for %s%s%s%s%s", who, pv_buf_str(&mean), pv_buf_str(&window),
			v->pressure ? " (corrected for standing " : "", v->pressure ? pv_buf_str(&waited) : "",
			v->pressure ? " of the time in the queue)" : "", v->warning ? half_way(planned) : "");
	notice_add_evidence(n, "mean", "%s", pv_buf_str(&mean));
	notice_add_evidence(n, "limit", "%s", pv_buf_str(&limit));
	notice_add_evidence(n, "window", "%s", pv_buf_str(&window));
	if (v->pressure)
		notice_add_evidence(n, "cpu.pressure", "%s", pv_buf_str(&waited));
}

static void tell_cpu(struct notice *n, const struct verdict *v, enum pv_action planned)
{
	cpu_words(n, v, planned, "");
	tell_allow(n, n->subject, signal_name(SIGNAL_CPU));
}

#define CHAIN_IMAGE 80 /* of an image's name, in a sentence */

/* Of many of one image the next one has another name: the image is what an exception must name. */
static void allow_kind(struct notice *n, const struct container_info *image, const char *signal)
{
	char name[200];

	if (image)
		container_image_name(name, sizeof(name), image);
	tell_allow(n, image ? name : n->subject, signal);
}

void tell_succession(struct notice *n, const struct verdict *v, enum pv_action planned, const struct container_info *info)
{
	const char *image = *info->image ? info->image : info->image_id;
	pv_autobuf who = PV_BUF_INIT;

	pv_buf_printf(&who, "is one of %u containers of ", v->chain);
	if (v->chain_image)
		pv_buf_printf(&who, "the image %.*s", CHAIN_IMAGE, image);
	else
		pv_buf_puts(&who, "this service");
	pv_buf_puts(&who, " that one after the other ");
	if (v->restarts) {
		pv_buf_clear(&who);
		pv_buf_printf(&who, "was started %u times by its engine, and run after run ", v->chain);
	}
	cpu_words(n, v, planned, pv_buf_str(&who));
	notice_add_evidence(n, "one after the other", "%u", v->chain);
	if (v->mixed)
		notice_add_evidence(n, "softened", "they are of several services of one image: told, not ended");
	else if (v->restarts)
		notice_add_evidence(n, "softened", "a program that fails at its start looks like this, too: told, not ended");
	allow_kind(n, v->chain_image && !v->restarts ? info : NULL, signal_name(SIGNAL_CPU));
}

static void tell_memory(struct notice *n, const struct verdict *v)
{
	pv_autobuf used = PV_BUF_INIT, limit = PV_BUF_INIT;

	words_bytes(&used, v->value);
	words_bytes(&limit, v->limit);
	notice_set_what(n, "holds %s that cannot be reclaimed (limit %s)", pv_buf_str(&used), pv_buf_str(&limit));
	notice_add_evidence(n, "used", "%" PRIu64, v->value);
	notice_add_evidence(n, "limit", "%" PRIu64, v->limit);
	tell_allow(n, n->subject, signal_name(SIGNAL_MEMORY));
}

static void tell_pids(struct notice *n, const struct verdict *v)
{
	const char *unit = v->tasks ? "tasks" : "processes";

	notice_set_what(n, "runs %" PRIu64 " %s (limit %" PRIu64 ")", v->value, unit, v->limit);
	notice_add_evidence(n, unit, "%" PRIu64, v->value);
	notice_add_evidence(n, "limit", "%" PRIu64, v->limit);
	tell_allow(n, n->subject, signal_name(SIGNAL_PIDS));
}

void tell_load(struct notice *n, const struct verdict *v, enum pv_action planned, const struct container_info *info)
{
	switch (v->id) {
	case ID_RUN_CPU:
		tell_cpu(n, v, planned);
		break;
	case ID_RUN_MEMORY:
		tell_memory(n, v);
		break;
	case ID_RUN_PIDS:
		tell_pids(n, v);
		break;
	case ID_RUN_RESPAWN:
		notice_set_what(n, "came back after it was killed (return %" PRIu64 ")", v->value);
		allow_kind(n, v->cause_chain && info && !*info->service ? info : NULL, NULL);
		break;
	default:
		notice_set_what(n, "%s", id_info(v->id)->title);
		notice_set_next(n, "pavise explain %s", id_info(v->id)->name);
	}
}

void tell_oom(struct notice *n, const char *comm, uint32_t pid)
{
	notice_set_what(n, "ran out of memory: the kernel ended %s (pid %u)", comm, pid);
	notice_add_evidence(n, "process", "%s (pid %u)", comm, pid);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_moved(struct notice *n, const char *comm, uint32_t pid)
{
	notice_set_what(n, "had a process leave its container's cgroup: %s (pid %u)", comm, pid);
	notice_add_evidence(n, "process", "%s (pid %u)", comm, pid);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_packets(struct notice *n, unsigned sockets, unsigned protocol, unsigned uid)
{
	notice_set_what(n, "holds %u packet socket%s: what it sends there no hook sees", sockets, sockets == 1 ? "" : "s");
	notice_add_evidence(n, "protocol", "0x%04x%s", protocol, protocol == 3 ? " (all)" : "");
	notice_add_evidence(n, "user", "%u", uid);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

static void who_starts(struct pv_buf *out, const struct container_info *info)
{
	if (info->service_id[0])
		pv_buf_printf(out, "the Swarm service %s%s%s", info->project, info->project[0] ? "_" : "", info->service);
	else if (info->restart_policy[0] && strcmp(info->restart_policy, "no") != 0)
		pv_buf_printf(out, "its restart policy %s", info->restart_policy);
	else if (info->project[0])
		pv_buf_printf(out, "Compose project %s, service %s", info->project, info->service);
	else
		pv_buf_puts(out, "somebody with access to the container engine");
}

void tell_respawn(struct notice *n, unsigned times, const struct container_info *info)
{
	pv_autobuf who = PV_BUF_INIT;

	who_starts(&who, info);
	notice_set_what(n, "came back %u times after it was killed, started by %s; it is not killed again", times,
			pv_buf_str(&who));
	notice_add_evidence(n, "started by", "%s", pv_buf_str(&who));
	if (info->image[0])
		notice_add_evidence(n, "image", "%s", info->image);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_log(struct notice *n, const char *line, const char *rule, const char *source, const char *address)
{
	notice_set_what(n, "%s: %s", id_info(n->id)->title, line);
	notice_add_evidence(n, "line", "%s", line);
	notice_add_evidence(n, "rule", "%s", rule);
	notice_add_evidence(n, "log", "%s", source);
	if (*address)
		notice_add_evidence(n, "address", "%s", address);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_silent_log(struct notice *n, const char *source, const char *since)
{
	notice_set_what(n, "used to be written, and has been silent for %s", since);
	notice_add_evidence(n, "log", "%s", source);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_shed_log(struct notice *n, const char *source, uint64_t bytes)
{
	notice_set_what(n, "grows faster than it can be read: %" PRIu64 " MiB were passed over", (bytes + (1u << 19)) >> 20);
	notice_add_evidence(n, "log", "%s", source);
	notice_add_evidence(n, "bytes", "%" PRIu64, bytes);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_long_lines(struct notice *n, const char *source, uint64_t lines)
{
	notice_set_what(n, "holds %" PRIu64 " line%s of more than %u KiB: not read whole", lines, lines == 1 ? "" : "s", LOG_LINE_MAX >> 10);
	notice_add_evidence(n, "log", "%s", source);
	notice_add_evidence(n, "lines", "%" PRIu64, lines);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_refused_log(struct notice *n, const char *path, int error)
{
	notice_set_what(n, "is not read: %s", error == -ELOOP ? "a link in a folder that others can write to" :
			error == -EPERM	? "no regular file, or one with a second name" : strerror(-error));
	notice_add_evidence(n, "log", "%s", path);
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_lost(struct notice *n, uint64_t events)
{
	notice_set_what(n, "the details of %" PRIu64 " event%s were lost because too many came at once; every block held",
			events, events == 1 ? "" : "s");
	notice_add_evidence(n, "lost", "%" PRIu64, events);
	notice_set_next(n, "pavise status");
}

void tell_degraded(struct notice *n, const char *text, const char *next)
{
	notice_set_what(n, "%s", text);
	notice_set_next(n, "%s", next);
}

void tell_engine(struct notice *n, const char *engine)
{
	notice_set_what(n, "%s does not answer: names and limits of containers are missing, and kills go by cgroup",
			engine);
	notice_add_evidence(n, "engine", "%s", engine);
	notice_set_next(n, "pavise doctor");
}

void tell_role(struct notice *n, const char *role)
{
	notice_set_what(n, "the %s died three times within a minute; it is started again more and more slowly", role);
	notice_add_evidence(n, "role", "%s", role);
	notice_set_next(n, "journalctl -u pavise");
}
