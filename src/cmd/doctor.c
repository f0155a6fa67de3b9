#include <cjson/cJSON.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "cmd/doctor.h"
#include "model/roles.h"

static const char *const answer_words[DOCTOR_ANSWERS] = { "ok", "degraded", "could not check" };

void doctor_tell(struct doctor *d, enum doctor_answer a, const char *what, const char *next, const char *why_fmt, ...)
{
	static const enum severity colours[] = { SEV_INFO, SEV_HIGH, SEV_MEDIUM };
	char text[512];
	va_list ap;

	va_start(ap, why_fmt);
	(void) vsnprintf(text, sizeof(text), why_fmt, ap);
	va_end(ap);
	d->n[a]++;
	if (d->json) {
		pv_buf_printf(&d->out, "%s{\"check\":", d->out.len > 30 ? "," : "");
		pv_buf_json_str(&d->out, what);
		pv_buf_printf(&d->out, ",\"result\":\"%s\",\"why\":", a == WELL ? "ok" : a == DEGRADED ? "degraded" : "unknown");
		pv_buf_json_str(&d->out, text);
		pv_buf_puts(&d->out, ",\"next\":");
		pv_buf_json_str(&d->out, next ? next : "");
		pv_buf_putc(&d->out, '}');
		return;
	}
	pv_buf_printf(&d->out, "%s%-15s%s  %-16s ", a == WELL ? "" : words_colour(colours[a], &d->style), answer_words[a],
		      a == WELL ? "" : words_plain(&d->style), what);
	pv_buf_safe(&d->out, text, 0);
	pv_buf_putc(&d->out, '\n');
	if (next && a != WELL)
		pv_buf_printf(&d->out, "%36snext: %s\n", "", next);
}

static bool file_system(const char *path, long magic)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (long) st.f_type == magic;
}

static void kernel(struct doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname u;
	char *end;

	if (uname(&u) < 0) {
		doctor_tell(d, UNCHECKED, "kernel", NULL, "its version cannot be read");
		return;
	}
	major = (unsigned) strtoul(u.release, &end, 10);
	if (*end == '.')
		minor = (unsigned) strtoul(end + 1, NULL, 10);
	if (major > 5 || (major == 5 && minor >= 15))
		doctor_tell(d, WELL, "kernel", NULL, "%s", u.release);
	else
		doctor_tell(d, DEGRADED, "kernel", "install a kernel of 5.15 or later", "%s is older than 5.15: not supported", u.release);
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		doctor_tell(d, WELL, "kernel types", NULL, "BTF is there");
	else
		doctor_tell(d, DEGRADED, "kernel types", "use a kernel built with CONFIG_DEBUG_INFO_BTF (every Debian and Ubuntu kernel)",
		     "no BTF at /sys/kernel/btf/vmlinux: net and dns cannot be guarded");
}

static void cgroups(struct doctor *d)
{
	const char *root = d->policy->cgroup_root;
	char unified[POLICY_PATH + 16];

	(void) snprintf(unified, sizeof(unified), "%s/unified", root);
	if (file_system(root, CGROUP2_SUPER_MAGIC))
		doctor_tell(d, WELL, "cgroups", NULL, "version 2 at %s", root);
	else if (file_system(unified, CGROUP2_SUPER_MAGIC))
		doctor_tell(d, WELL, "cgroups", NULL, "hybrid: version 2 at %s, CPU and memory from version 1", unified);
	else if (access(root, F_OK) == 0)
		doctor_tell(d, DEGRADED, "cgroups", "boot with systemd.unified_cgroup_hierarchy=1",
		     "pure version 1 (or no cgroups) at %s: the guard is not supported here", root);
	else
		doctor_tell(d, UNCHECKED, "cgroups", "pavise config show --origin", "%s cannot be opened", root);
}

static void bpf_files(struct doctor *d)
{
	char mount[POLICY_PATH], value[8] = "";
	int fd;
	char *slash;

	(void) snprintf(mount, sizeof(mount), "%s", d->policy->bpf_dir);
	slash = strrchr(mount, '/');
	if (slash && slash != mount)
		*slash = '\0';
	if (file_system(mount, BPF_FS_MAGIC) || file_system(d->policy->bpf_dir, BPF_FS_MAGIC))
		doctor_tell(d, WELL, "bpf files", NULL, "mounted at %s: blocks outlive the guard", mount);
	else
		doctor_tell(d, DEGRADED, "bpf files", "mount -t bpf bpf /sys/fs/bpf", "no bpf file system at %s: nothing can be pinned", mount);
	fd = open("/proc/sys/kernel/unprivileged_bpf_disabled", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, value, sizeof(value) - 1) <= 0)
		doctor_tell(d, UNCHECKED, "bpf for users", NULL, "whether unprivileged users may load programs is not known");
	else if (value[0] == '0')
		doctor_tell(d, DEGRADED, "bpf for users", "sysctl -w kernel.unprivileged_bpf_disabled=2",
		     "unprivileged users may load BPF programs");
	else
		doctor_tell(d, WELL, "bpf for users", NULL, "switched off");
	(void) pv_close(fd);
}

/* What is pinned in the kernel, as the broker says it: "on", "off UNTIL", "off forever", or status 3 and "none". */
static void hooks(struct doctor *d)
{
	char path[4096];
	const char *argv[] = { path, "state", "--bpf-dir", d->policy->bpf_dir, NULL };
	pv_autobuf out = PV_BUF_INIT, err = PV_BUF_INIT, line = PV_BUF_INIT;
	int r;

	if (child_path(d->c, "pavise-broker", path, sizeof(path)) < 0) {
		doctor_tell(d, DEGRADED, "programs", "install pavise again", "pavise-broker is missing: the guard cannot start");
		return;
	}
	if (geteuid() != 0) {
		doctor_tell(d, UNCHECKED, "blocks", "sudo pavise doctor", "only root may look at what is pinned in the kernel");
		return;
	}
	r = child_run(argv, &(struct child_io){ .fd3 = -1, .out = &out, .err = &err });
	if (r == 0 && strncmp(pv_buf_str(&out), "on", 2) == 0)
		doctor_tell(d, WELL, "blocks", NULL, "pinned in the kernel and in force");
	else if (r == 0)
		doctor_tell(d, DEGRADED, "blocks", "pavise on", "pinned in the kernel, but switched off");
	else if (r == 3)
		doctor_tell(d, DEGRADED, "blocks", "systemctl start pavise    (a first look: pavise guard --observe)",
		     "nothing is pinned in the kernel: nothing is refused");
	else {
		pv_buf_add(&line, pv_buf_str(&err), strcspn(pv_buf_str(&err), "\n"));
		doctor_tell(d, DEGRADED, "blocks", "systemctl restart pavise", "what is pinned cannot be read: %.200s", pv_buf_str(&line));
	}
}

/* 1 answers as an engine does, 0 nobody is there, negative errno. */
static int ping(const char *path)
{
	static const char request[] = "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 3 };
	char answer[13] = "";
	pv_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return -errno;
	if (recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) != (ssize_t) sizeof(answer) - 1)
		return -ETIMEDOUT;
	return strcmp(answer, "HTTP/1.1 200") == 0 ? 1 : -EPROTO;
}

static bool engine(struct doctor *d, const char *name, const char *path)
{
	int r = *path ? ping(path) : 0;

	if (!*path)
		doctor_tell(d, WELL, name, NULL, "switched off in the configuration");
	else if (r == 1)
		doctor_tell(d, WELL, name, NULL, "answers at %s", path);
	else if (r == 0)
		doctor_tell(d, WELL, name, NULL, "is not here (no %s)", path);
	else if (r == -EACCES || r == -EPERM)
		doctor_tell(d, UNCHECKED, name, "sudo pavise doctor", "%s may be asked by root only", path);
	else
		doctor_tell(d, DEGRADED, name, strcmp(name, "Docker") == 0 ? "systemctl status docker" : "systemctl status podman.socket",
		     "%s does not answer (%s): containers are guarded, but not named, and not killed through it", path,
		     strerror(-r));
	return r == 1;
}

static void engines(struct doctor *d)
{
	static const char *const others[] = { "/run/k3s/containerd/containerd.sock", "/run/containerd/containerd.sock",
					      "/run/crio/crio.sock" };

	d->docker = engine(d, "Docker", d->policy->docker_socket);
	d->podman = engine(d, "Podman", d->policy->podman_socket);
	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		struct stat st;

		if (stat(others[i], &st) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		if (i == 1 && d->docker) /* Docker's own */
			continue;
		doctor_tell(d, DEGRADED, i == 0 ? "k3s" : i == 1 ? "containerd" : "CRI-O", "run the workloads with Docker or Podman",
		     "%s alone is not supported: its containers have no names here and are not killed; net and dns hold", others[i]);
	}
}

static void users(struct doctor *d)
{
	const char *missing = !getpwnam(ROLE_USER)	  ? ROLE_USER :
			      !getpwnam(ROLE_USER_SENDER) ? ROLE_USER_SENDER :
			      !getgrnam(ROLE_GROUP_ADMIN) ? ROLE_GROUP_ADMIN :
							    NULL;

	if (missing)
		doctor_tell(d, DEGRADED, "users", "systemd-sysusers /usr/lib/sysusers.d/pavise.conf", "there is no `%s`: free ids are used instead",
		     missing);
	else
		doctor_tell(d, WELL, "users", NULL, "%s, %s and the group %s exist", ROLE_USER, ROLE_USER_SENDER, ROLE_GROUP_ADMIN);
}

static void time_sync(struct doctor *d)
{
	struct timex t = { .modes = 0 };
	int r = adjtimex(&t);

	if (r < 0)
		doctor_tell(d, UNCHECKED, "clock", "timedatectl", "the kernel does not say whether it is in step");
	else if (t.status & STA_UNSYNC)
		doctor_tell(d, UNCHECKED, "clock", "timedatectl", "whether it is in step with a time server is not known here");
	else
		doctor_tell(d, WELL, "clock", NULL, "in step with a time server");
}

static void pressure(struct doctor *d)
{
	if (access("/proc/pressure/cpu", R_OK) == 0)
		doctor_tell(d, WELL, "cpu pressure", NULL, "measured by the kernel");
	else
		doctor_tell(d, DEGRADED, "cpu pressure", "boot with psi=1", "not measured: on a saturated host the CPU rule sees less");
}

/* What only the running guard knows. */
static void channels(struct doctor *d, const cJSON *s)
{
	const cJSON *c, *list = cJSON_GetObjectItemCaseSensitive(s, "channels"),
			*deliveries = cJSON_GetObjectItemCaseSensitive(s, "deliveries");
	uint64_t waiting = json_u64(deliveries, "waiting"), given_up = json_u64(deliveries, "given_up");
	bool told = false;

	if (!cJSON_GetArraySize(list)) {
		doctor_tell(d, DEGRADED, "channels", "set notify.channels: pavise config sample", "none: notices stay on this machine");
		return;
	}
	if (waiting || given_up) {
		doctor_tell(d, DEGRADED, "channels", "pavise events --id guard.", "%llu notices wait, %llu were given up",
		     (unsigned long long) waiting, (unsigned long long) given_up);
		told = true;
	}
	cJSON_ArrayForEach(c, list) {
		const char *last = json_text(c, "last_success");

		if (*last)
			doctor_tell(d, WELL, "channel", NULL, "%s: last success %s", json_text(c, "name"), last);
		else if (!told)
			doctor_tell(d, UNCHECKED, "channel", NULL, "%s: no success is recorded yet", json_text(c, "name"));
	}
}

/* Two programs that ban are one too many: what one lets in, the other still keeps out. */
static void bans(struct doctor *d, const cJSON *b)
{
	const char *other = json_text(b, "left_to");

	if (!b)
		return;
	if (*other)
		doctor_tell(d, DEGRADED, "bans", strcmp(other, "fail2ban") == 0 ?
			    "sudo pavise bans import fail2ban; systemctl disable --now fail2ban" : "keep one of the two",
			    "%s runs here, too: bans wait some seconds for it, so that nobody is banned twice", other);
	else
		doctor_tell(d, WELL, "bans", NULL, "%llu in force, %llu addresses are counted",
			    (unsigned long long) json_u64(b, "in_force"), (unsigned long long) json_u64(b, "addresses"));
}

/* What is read and yet cannot lead to a ban, and what is not read. */
static void log_gaps(struct doctor *d, const cJSON *s)
{
	const cJSON *b = cJSON_GetObjectItemCaseSensitive(s, "bans"), *l = cJSON_GetObjectItemCaseSensitive(s, "logs");
	uint64_t nameless = json_u64(b, "nameless"), unread = json_u64(l, "unread");
	const char *service = json_text(b, "nameless_service");
	pv_autobuf text = PV_BUF_INIT;

	if (nameless) {
		pv_buf_safe(&text, service, 32);
		doctor_tell(d, DEGRADED, "logins", strcmp(service, "postgresql") == 0 ? "log_line_prefix = '%m [%p] %q%u@%d %h '    (postgresql.conf)" :
			    "let the service, or the proxy in front of it, log the client's address",
			    "%llu refused logins named no address (the last one by %s): nobody can be banned for them",
			    (unsigned long long) nameless, pv_buf_str(&text));
	}
	pv_buf_clear(&text);
	if (unread) {
		pv_buf_safe(&text, json_text(l, "unread_driver"), 24);
		doctor_tell(d, DEGRADED, "container logs", "set the log driver to local, json-file or journald, and make the containers anew",
			    "%llu containers' logs are not read: their driver (%s) keeps nothing on this host", (unsigned long long) unread, pv_buf_str(&text));
	}
	if (json_u64(l, "unstreamed"))
		doctor_tell(d, DEGRADED, "container logs", "set docker.root, or the log driver to local, json-file or journald",
			    "%llu containers' logs are not read: only their engine could tell them, and 32 are followed in that way at once",
			    (unsigned long long) json_u64(l, "unstreamed"));
}

static void persistence(struct doctor *d, const cJSON *p)
{
	uint64_t lost = json_u64(p, "lost"), unread = json_u64(p, "unread");
	pv_autobuf why = PV_BUF_INIT;

	if (!p)
		return;
	pv_buf_safe(&why, json_text(p, "why"), 96);
	if (why.len)
		doctor_tell(d, DEGRADED, "persistence", NULL, "cron, units and keys are not watched: %s", pv_buf_str(&why));
	else if (lost || unread)
		doctor_tell(d, DEGRADED, "persistence", "journalctl -u pavise | grep -e 'watched whole' -e 'looked into'",
			    "%llu places of cron, units and keys are not watched whole, %llu files could not be looked into",
			    (unsigned long long) lost, (unsigned long long) unread);
	else
		doctor_tell(d, WELL, "persistence", NULL, "%llu folders of cron, units and keys are watched",
			    (unsigned long long) json_u64(p, "folders"));
}

static void guard(struct doctor *d)
{
	pv_auto(ask) a = NULL;
	cJSON *answer = NULL;
	const cJSON *s, *e;
	int r = ask_open(d->policy, &a);

	if (r == -EACCES || r == -EPERM) {
		doctor_tell(d, UNCHECKED, "guard", "sudo pavise doctor", "only root and the group pavise-admin may ask it");
		return;
	}
	if (r < 0) {
		doctor_tell(d, DEGRADED, "guard", "systemctl start pavise    (a first look: pavise guard --observe)", "does not run");
		return;
	}
	ask_confine();
	if (ask(a, "{\"verb\":\"status\"}", NULL, NULL, &answer) < 0) {
		doctor_tell(d, DEGRADED, "guard", "systemctl restart pavise", "runs, but does not answer");
		return;
	}
	s = cJSON_GetObjectItemCaseSensitive(answer, "status");
	if (json_true(s, "off"))
		doctor_tell(d, DEGRADED, "guard", "pavise on", "runs, but is switched off");
	else
		doctor_tell(d, WELL, "guard", NULL, "runs (%s)", json_text(s, "mode"));
	cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(s, "degraded")) {
		pv_autobuf next = PV_BUF_INIT;

		pv_buf_safe(&next, json_text(e, "next"), 200);
		doctor_tell(d, DEGRADED, "signal", strcmp(pv_buf_str(&next), "pavise doctor") == 0 ? NULL : pv_buf_str(&next), "%s: %s",
		     json_text(e, "signal"), json_text(e, "why"));
	}
	if (!cmd_opt(d->c, "install")) {
		bans(d, cJSON_GetObjectItemCaseSensitive(s, "bans"));
		log_gaps(d, s);
		persistence(d, cJSON_GetObjectItemCaseSensitive(s, "persistence"));
		channels(d, s);
	}
	cJSON_Delete(answer);
}

int cmd_doctor(struct cmd *c)
{
	const char *format = cmd_opt(c, "format");
	struct doctor d = { .c = c, .style = cmd_style(c), .json = format && strcmp(format, "json") == 0 };
	int r;

	if (load_policy(c, &d.policy) < 0)
		return CMD_USAGE;
	if (d.json)
		pv_buf_puts(&d.out, "{\"schema\":1,\"checks\":[");
	if (cmd_opt(c, "install")) {
		doctor_install(&d);
	} else {
		kernel(&d);
		cgroups(&d);
		bpf_files(&d);
		pressure(&d);
		engines(&d);
		time_sync(&d);
		doctor_logs(&d);
		doctor_libraries(&d, false);
	}
	users(&d);
	hooks(&d);
	guard(&d); /* last: it gives up root */
	if (d.json)
		pv_buf_printf(&d.out, "],\"ok\":%u,\"degraded\":%u,\"could_not_check\":%u}\n", d.n[WELL], d.n[DEGRADED], d.n[UNCHECKED]);
	else if (!c->quiet)
		pv_buf_printf(&d.out, "\n%u ok, %u degraded, %u could not be checked\n", d.n[WELL], d.n[DEGRADED], d.n[UNCHECKED]);
	r = cmd_write(&d.out);
	pv_buf_done(&d.out);
	return r != CMD_OK ? r : d.n[DEGRADED] ? CMD_FINDING : d.n[UNCHECKED] ? CMD_INCOMPLETE : CMD_OK;
}
