/* tell.h - fills the words of a notice from facts: `what` (the sentence without its subject), `next` (the command that
 * the owner will want), and evidence. Call after notice_init() and after subject and action are set: the words depend on
 * both (`tried to connect` when it was refused, `connected` when it was let through). Names and other text are taken as
 * they came; they are escaped when they are printed (report/words.h). */
#ifndef PV_REPORT_TELL_H
#define PV_REPORT_TELL_H

#include "base/ip.h"
#include "bpf/event.h"
#include "model/notice.h"
#include "model/persist.h"
#include "model/verdict.h"
#include "model/workload.h"

/* `tried to connect to 203.0.113.9:3333 (mining port)`; proto: IPPROTO_TCP, IPPROTO_UDP. */
void tell_net(struct notice *n, const struct ip_addr *addr, uint16_t port, uint8_t proto);
/* `asked for pool.hashvault.pro (mining pool name)`. A DNS server `resolver` that was asked by `client`: with the client
 * as the notice's subject `asked for ... through shop/dns`, else `passed on ... for 172.18.0.5`. Both NULL: it asked for
 * itself. `pattern` may be "". */
void tell_dns(struct notice *n, const char *name, const char *pattern, const char *client, const char *resolver);
/* net.pool and dns.encrypted: a port that is told only, DNS over TLS or HTTPS by its address. */
void tell_watched(struct notice *n, const struct event_net *e);
/* net.pool and dns.encrypted: what a connection began with; `name` of the TLS server, "" for a miner's words. */
void tell_opening(struct notice *n, const struct event_dns *e, const char *name);
void tell_dns_odd(struct notice *n, const struct event_dns *e);

/* exec.dropped: `tried to run /tmp/x, which is not of its image (in a folder that everybody may write to)`, or `loaded /tmp/p.so, ..., into
 * id`. `build`: it happened while an image was built. */
void tell_exec(struct notice *n, const struct event_exec *e, bool build);
/* What a look at the bytes of a running program found, over what tell_exec() said of it. */
void tell_exec_judged(struct notice *n, bool is_bad, bool killed, bool spared); /* spared: too many were ended already */

/* exec.dropped of a script that an interpreter was given (detect/script.h): `had sh run the script /tmp/x`. */
void tell_script(struct notice *n, const struct event_exec *e, const char *path);

/* exec.web-shell: `had node start a shell: sh -c id`. */
void tell_shell(struct notice *n, const struct event_exec *e, const char *credentials); /* what it reads (detect/credential.h); NULL: none */

/* exec.web-shell: `had a server's shell ask 169.254.169.254 for the cloud's credentials: python3 x.py`. `argv` may be empty. */
void tell_metadata(struct notice *n, const struct event_net *e, const char *argv, size_t len);

/* exec.miner: `runs with a stratum URL: x -o stratum+tcp://...`. `argv` with NULs between. */
void tell_miner(struct notice *n, const char *sign, const char *argv, size_t len, uint32_t pid);

/* run.cpu, run.memory, run.pids; run.respawn for one that came back and is ended again (value: how often). `planned`:
 * what the verdict leads to when it is a warning. `info` may be NULL. */
void tell_load(struct notice *n, const struct verdict *v, enum pv_action planned, const struct container_info *info);
/* run.cpu of containers one after the other (v->chain): `is one of 7 containers of the image x:1 that one after the other used ...`. */
void tell_succession(struct notice *n, const struct verdict *v, enum pv_action planned, const struct container_info *info);
void tell_oom(struct notice *n, const char *comm, uint32_t pid);
void tell_moved(struct notice *n, const char *comm, uint32_t pid);
/* It came back `times` times and is left alone now; `info` says who starts it. */
void tell_respawn(struct notice *n, unsigned times, const struct container_info *info);

/* What a line of a log said (logs.miner, logs.error ...): `line` is masked already; address may be "". */
void tell_log(struct notice *n, const char *line, const char *rule, const char *source, const char *address);
void tell_silent_log(struct notice *n, const char *source, const char *since); /* "2h 10m" */
void tell_shed_log(struct notice *n, const char *source, uint64_t bytes);
void tell_long_lines(struct notice *n, const char *source, uint64_t lines);
void tell_refused_log(struct notice *n, const char *path, int error); /* -ELOOP, -EPERM ... */

/* host.persistence: `/etc/cron.d/x (runs at a time) got 1 new line: * * * * * root ...`. Begin, then each line that came, then
 * end, which says who wrote it and what that means. */
struct tell_persist {
	const char *path, *kind;
	const struct persist_look *look;
	size_t added, gone; /* lines */
};
void tell_persist_begin(struct notice *n, const struct tell_persist *t);
void tell_persist_line(const char *line, size_t len, void *notice);
void tell_persist_end(struct notice *n, const struct tell_persist *t);

/* net.packet: `holds 1 packet socket (every protocol)`. */
void tell_packets(struct notice *n, unsigned sockets, unsigned protocol, unsigned uid);
/* host.persistence of a container: `began with /var/run/docker.sock of the host's`. */
void tell_holds_host(struct notice *n, const char *what, bool engine, const char *image, bool known_image);

/* The guard about itself. */
void tell_lost(struct notice *n, uint64_t events);
void tell_degraded(struct notice *n, const char *text, const char *next);
void tell_engine(struct notice *n, const char *engine); /* "Docker": it does not answer */
void tell_role(struct notice *n, const char *role);	/* "sender": it died three times within a minute */

/* `pavise allow shop/web net`, quoted where the shell needs it. NULL: all signals. */
void tell_allow(struct notice *n, const char *name, const char *signal);
/* Its subject has that name from now on, and where tell_allow() named the subject the line follows. */
void tell_renamed(struct notice *n, const char *name);

#endif
