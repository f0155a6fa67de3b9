#include "check/override.h"

#include <inttypes.h>
#include <string.h>

#define PLACES_MAX 64

/* --- what holds nothing to keep --- */

static const struct {
	const char *path; /* with `*` for one name */
	const char *options;
} throwaway[] = {
	{ "/tmp", "size=64m,noexec,nosuid" },
	{ "/var/tmp", "size=64m,noexec,nosuid" },
	{ "/run", "size=16m,noexec,nosuid" },
	{ "/var/run", "size=16m,noexec,nosuid" },
	{ "/var/lock", "size=1m,noexec,nosuid" },
	{ "/var/cache", "size=64m,noexec,nosuid" },
	{ "/root/.cache", "size=64m,noexec,nosuid" },
	{ "/root/.npm", "size=64m,noexec,nosuid" },
	{ "/home/*/.cache", "size=64m,noexec,nosuid" },
	{ "/home/*/.npm", "size=64m,noexec,nosuid" },
	{ "/var/lib/nginx/body", "size=64m,noexec,nosuid" },
	{ "/var/lib/nginx/proxy", "size=64m,noexec,nosuid" },
	{ "/var/lib/nginx/fastcgi", "size=64m,noexec,nosuid" },
	{ "/var/lib/nginx/scgi", "size=64m,noexec,nosuid" },
	{ "/var/lib/nginx/uwsgi", "size=64m,noexec,nosuid" },
	{ "/app/.next/cache", "size=64m,noexec,nosuid" },
	{ "/app/node_modules/.cache", "size=64m,noexec,nosuid" },
	{ "/usr/local/apache2/logs", "size=16m,noexec,nosuid" }, /* the official image: a pid file; its logs go to stdout */
};

/* Length of the front of `path` that `pattern` takes, by whole names; 0: none. */
static size_t below(const char *path, const char *pattern)
{
	const char *p = path;

	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			size_t n = strcspn(p, "/");

			if (!n)
				return 0;
			p += n;
		} else if (*p++ != *pattern) {
			return 0;
		}
	}
	return *p == '/' || *p == '\0' ? (size_t) (p - path) : 0;
}

size_t override_throwaway(const char *path, const char **ret_options)
{
	for (size_t i = 0; i < N_ELEMENTS(throwaway); i++) {
		size_t n = below(path, throwaway[i].path);

		if (n) {
			*ret_options = throwaway[i].options;
			return n;
		}
	}
	return 0;
}

/* --- how it starts --- */

#define DROPS "CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID"
#define WEB   "CHOWN, DAC_OVERRIDE, NET_BIND_SERVICE, SETGID, SETUID"

/* A word of entrypoint or command, its last name: programs and scripts that start as root and become somebody else. */
static const struct {
	const char *word, *caps;
} starts[] = {
	{ "nginx", WEB },	      { "apache2", WEB },	   { "apache2ctl", WEB },	{ "httpd", WEB },
	{ "httpd-foreground", WEB },  { "apache2-foreground", WEB }, { "haproxy", WEB },	{ "php-fpm", WEB },
	{ "postgres", DROPS },	      { "mysqld", DROPS },	   { "mariadbd", DROPS },	{ "mongod", DROPS },
	{ "docker-entrypoint.sh", DROPS }, { "gosu", DROPS },	   { "su-exec", DROPS },	{ "setpriv", DROPS },
	{ "runuser", DROPS },	      { "rabbitmq-server", DROPS },
};

/* Programs that stay what they are; what they need they need as an ordinary user. */
static const char *const plain[] = { "node",  "nodejs", "npm",	 "yarn",   "pnpm",  "deno", "bun",	"python", "python3",
				     "gunicorn", "uvicorn", "celery", "java", "ruby", "puma", "dotnet", "redis-server", "valkey-server",
				     "memcached", "sleep", "tail", "caddy", "traefik" };

static const char *last_name(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash ? slash + 1 : word;
}

static bool says(const struct override_seen *seen, const char *word)
{
	for (size_t i = 0; i < seen->n_start; i++)
		if (strcmp(last_name(seen->start[i]), word) == 0)
			return true;
	return false;
}

static const char *by_start(const struct override_seen *seen)
{
	if (!seen->runs)
		return NULL;
	if (seen->user && *seen->user && ctr_user_is_root(seen->user) == 0)
		return seen->low_port ? "NET_BIND_SERVICE" : "";
	for (size_t i = 0; i < N_ELEMENTS(starts); i++)
		if (says(seen, starts[i].word))
			return starts[i].caps;
	for (size_t i = 0; seen->n_start && i < N_ELEMENTS(plain); i++)
		if (strcmp(last_name(seen->start[0]), plain[i]) == 0)
			/* as root: files of others, which is what a bind mount often holds */
			return seen->low_port ? "DAC_OVERRIDE, NET_BIND_SERVICE" : "DAC_OVERRIDE";
	return NULL;
}

/* As <linux/capability.h> numbers them. */
static const char *const cap_names[] = {
	"CHOWN",	"DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",	   "FSETID",	  "KILL",	"SETGID",	"SETUID",	"SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",	  "IPC_LOCK",	"IPC_OWNER",	"SYS_MODULE",	"SYS_RAWIO",
	"SYS_CHROOT",	"SYS_PTRACE",	"SYS_PACCT",	   "SYS_ADMIN",	   "SYS_BOOT",	  "SYS_NICE",	"SYS_RESOURCE", "SYS_TIME",	"SYS_TTY_CONFIG",
	"MKNOD",	"LEASE",	"AUDIT_WRITE",	   "AUDIT_CONTROL", "SETFCAP",	  "MAC_OVERRIDE", "MAC_ADMIN",	"SYSLOG",	"WAKE_ALARM",
	"BLOCK_SUSPEND", "AUDIT_READ",	"PERFMON",	   "BPF",	   "CHECKPOINT_RESTORE",
};

static bool listed(const char *list, const char *name)
{
	const size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

const char *override_caps(struct arena *a, const struct override_seen *seen)
{
	const char *caps = by_start(seen);

	if (!seen->runs || !seen->watched)
		return caps;
	caps = caps ? caps : "";
	for (size_t i = 0; i < N_ELEMENTS(cap_names) && caps; i++)
		if (seen->caps >> i & 1 && !listed(caps, cap_names[i]))
			caps = arena_printf(a, "%s%s%s", caps, *caps ? ", " : "", cap_names[i]);
	return caps;
}

/* --- where it writes --- */

static bool kept(const struct override_seen *seen, const char *path)
{
	for (size_t i = 0; i < seen->n_volumes; i++)
		if (*seen->volumes[i] && below(path, seen->volumes[i]))
			return true;
	return false;
}

static void add_place(struct override_place *out, size_t *n, size_t max, const char *path, const char *options)
{
	size_t kept_n = 0;

	for (size_t i = 0; i < *n; i++)
		if (!path || below(path, out[i].path) || strcmp(out[i].path, "/") == 0)
			return;
	for (size_t i = 0; i < *n; i++) /* what lies below the new one is part of it */
		if (!below(out[i].path, path))
			out[kept_n++] = out[i];
	*n = kept_n;
	if (*n < max)
		out[(*n)++] = (struct override_place){ path, options };
}

/* Nothing below it was written, too: a file, or an empty folder. */
static bool is_leaf(const struct override_seen *seen, size_t i)
{
	return i + 1 >= seen->n_written || !below(seen->written[i + 1].path, seen->written[i].path);
}

/* The uppermost path above the i-th, itself included, that the image has not; NULL: the image has it. */
static const struct override_path *topmost_added(const struct override_seen *seen, size_t i)
{
	const struct override_path *top = NULL;

	for (size_t k = i + 1; k-- > 0;)
		if (seen->written[k].added && below(seen->written[i].path, seen->written[k].path))
			top = &seen->written[k];
	return top;
}

/* What the engine itself writes at every start. */
static bool by_engine(const char *path)
{
	static const char *const files[] = { "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv", "/dev",
					     "/proc", "/sys" };

	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		if (below(path, files[i]))
			return true;
	return false;
}

static const char *parent(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? "/" : arena_ndup(a, path, (size_t) (slash - path));
}

/* The deepest folder that the image has, or, where the whole folder was made, that one. */
static const char *volume_at(struct arena *a, const struct override_seen *seen, size_t i)
{
	const struct override_path *top = topmost_added(seen, i);

	if (top && top != &seen->written[i])
		return top->path;
	return parent(a, seen->written[i].path);
}

static const char *tmpfs_at(struct arena *a, const struct override_seen *seen, size_t i, size_t front)
{
	const struct override_path *top = topmost_added(seen, i);
	const char *exists = parent(a, top ? top->path : seen->written[i].path);

	return exists && strlen(exists) > front ? exists : arena_ndup(a, seen->written[i].path, front);
}

size_t override_places(struct arena *a, const struct override_seen *seen, struct override_place *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < seen->n_written; i++) {
		const char *path = seen->written[i].path, *options = NULL;
		size_t front;

		if (!is_leaf(seen, i) || by_engine(path) || kept(seen, path))
			continue;
		front = override_throwaway(path, &options);
		add_place(out, &n, max, front ? tmpfs_at(a, seen, i, front) : volume_at(a, seen, i), options);
	}
	return n;
}

bool override_places_plain(const struct override_place *place, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (place[i].path && strpbrk(place[i].path, ":$"))
			return false;
	return true;
}

/* --- one service --- */

struct lines {
	struct pv_buf *out, *volumes;
	const struct ctr *c;
	const struct override_seen *seen;
	const struct check_policy *p;
	struct arena *a;
	bool fails[ID_N];
	bool any;
};

static void line(struct lines *l, const char *key)
{
	l->any = true;
	pv_buf_printf(l->out, "    %s: ", key);
}

static void comment(struct lines *l, const char *text)
{
	pv_buf_puts(l->out, "    # ");
	pv_buf_safe(l->out, text, 400);
	pv_buf_putc(l->out, '\n');
}

/* MiB, rounded up to a number that a person would write. */
static uint64_t rounded(uint64_t bytes)
{
	uint64_t mib = (bytes >> 20) + 1, step = mib > 2048 ? 512 : mib > 512 ? 128 : 64;

	return (mib + step - 1) / step * step;
}

void override_limits(const struct override_seen *seen, const struct check_policy *p, struct override_limits *ret)
{
	const struct ctr_usage *u = &seen->use;

	*ret = (struct override_limits){ .pids = p->pids, .mib = p->memory >> 20, .milli = p->nano_cpus / 1000000 };
	if (!seen->use_known)
		return;
	ret->pids = PV_MAX(PV_MAX(u->pids, u->pids_peak) * 3 / 2, ret->pids);
	ret->mib = PV_MAX(rounded(u->memory * 3 / 2), ret->mib);
	ret->milli = PV_MAX(u->milli_cpus * 3 / 2, ret->milli);
}

static void limit_lines(struct lines *l)
{
	const struct ctr_usage *u = &l->seen->use;
	const bool known = l->seen->use_known;
	struct override_limits w;

	override_limits(l->seen, l->p, &w);

	if (l->fails[ID_CTR_PIDS_LIMIT] && l->c->pids <= 0) {
		line(l, "pids_limit");
		pv_buf_printf(l->out, "%" PRIu64, w.pids);
		if (known)
			pv_buf_printf(l->out, "  # has %" PRIu64 "%s", u->pids, w.pids > l->p->pids ? ": more than the policy's" : "");
		pv_buf_putc(l->out, '\n');
	}
	if (l->fails[ID_CTR_MEMORY_LIMIT] && !l->c->memory) {
		line(l, "mem_limit");
		pv_buf_printf(l->out, "%" PRIu64 "m", w.mib);
		if (known)
			pv_buf_printf(l->out, "  # uses %" PRIu64 " MiB", u->memory >> 20);
		pv_buf_printf(l->out, "\n    memswap_limit: %" PRIu64 "m\n", w.mib);
	}
	if (l->fails[ID_CTR_CPU_LIMIT] && !l->c->nano_cpus) {
		line(l, "cpus");
		pv_buf_printf(l->out, "%" PRIu64 ".%02" PRIu64, w.milli / 1000, w.milli / 10 % 100);
		if (known)
			pv_buf_printf(l->out, "  # used %" PRIu64 ".%03" PRIu64 " on average", u->milli_cpus / 1000,
				      u->milli_cpus % 1000);
		pv_buf_putc(l->out, '\n');
	}
}

static void caps_lines(struct lines *l)
{
	const char *caps = override_caps(l->a, l->seen);

	if (!l->fails[ID_CTR_CAP_DROP_ALL])
		return;
	if (!caps) {
		comment(l, l->seen->runs ? "cap_drop: [ALL] is not applied: which capabilities its start needs was not observed"
					 : "cap_drop: [ALL] is not applied: not observed, it does not run now");
		return;
	}
	line(l, "cap_drop");
	pv_buf_puts(l->out, "[ALL]\n");
	if (*caps)
		pv_buf_printf(l->out, "    cap_add: [%s]  # %s\n", caps, l->seen->watched ? "by the way it starts, and by what was observed" : "by the way it starts");
}

void override_volume_name(struct pv_buf *out, const char *service, const char *path)
{
	pv_autobuf name = PV_BUF_INIT;

	pv_buf_printf(&name, "pavise_%s%s", service, path);
	for (const char *s = pv_buf_str(&name); *s; s++)
		pv_buf_putc(out, (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '-' ? *s : '_');
}

void override_tmpfs_owner(const struct override_seen *seen, const char *path, struct pv_buf *out)
{
	unsigned uid, gid, mode;

	if (!seen->owner || seen->owner(seen->owner_user, path, &uid, &gid, &mode) < 0)
		pv_buf_puts(out, ",mode=1777");
	else if (uid || gid)
		pv_buf_printf(out, ",uid=%u,gid=%u,mode=%o", uid, gid, mode);
	else if (mode != 01777)
		pv_buf_printf(out, ",mode=%o", mode);
}

static void tmpfs_lines(struct lines *l, const struct override_place *places, size_t n)
{
	bool tmp = false, any;

	for (size_t i = 0; i < l->c->n_mounts; i++)
		tmp = tmp || strcmp(l->c->mount[i].target, "/tmp") == 0;
	for (size_t i = 0; i < n; i++)
		tmp = tmp || strcmp(places[i].path, "/tmp") == 0;
	if (!tmp)
		pv_buf_puts(l->out, "    tmpfs:\n      - \"/tmp:size=64m,noexec,nosuid\"\n");
	any = !tmp;
	for (size_t i = 0; i < n; i++) {
		pv_autobuf text = PV_BUF_INIT;

		if (!places[i].options)
			continue;
		pv_buf_puts(l->out, any ? "" : "    tmpfs:\n");
		any = true;
		pv_buf_printf(&text, "%s:%s", places[i].path, places[i].options);
		override_tmpfs_owner(l->seen, places[i].path, &text);
		pv_buf_puts(l->out, "      - ");
		pv_buf_json_str(l->out, pv_buf_str(&text));
		pv_buf_putc(l->out, '\n');
	}
}

static void volume_lines(struct lines *l, const struct override_place *places, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		pv_autobuf name = PV_BUF_INIT, text = PV_BUF_INIT;

		if (places[i].options)
			continue;
		if (!any)
			pv_buf_puts(l->out, "    # Written there so far: lost when the container is recreated, already today. These volumes keep\n"
					    "    # it from now on; they begin with what the image has there.\n    volumes:\n");
		any = true;
		override_volume_name(&name, l->c->service, places[i].path);
		pv_buf_printf(&text, "%s:%s", pv_buf_str(&name), places[i].path);
		pv_buf_puts(l->out, "      - ");
		pv_buf_json_str(l->out, pv_buf_str(&text));
		pv_buf_putc(l->out, '\n');
		pv_buf_printf(l->volumes, "  %s: {}\n", pv_buf_str(&name));
	}
}

static void rootfs_lines(struct lines *l)
{
	struct override_place places[PLACES_MAX];
	size_t n;

	if (!l->fails[ID_CTR_READONLY_ROOTFS])
		return;
	if (!l->seen->runs || !l->seen->written_known) {
		comment(l, "read_only: true is not applied: where it writes was not observed; let it run, then write this file again");
		return;
	}
	n = override_places(l->a, l->seen, places, PLACES_MAX);
	for (size_t i = 0; i < n; i++)
		if (strcmp(places[i].path, "/") == 0 || n == PLACES_MAX || !places[i].path) {
			comment(l, "read_only: true is not applied: it writes to the top folder, or to too many places");
			return;
		}
	if (!override_places_plain(places, n)) {
		comment(l, "read_only: true is not applied: it writes to a folder that has a colon or a dollar sign in its name");
		return;
	}
	line(l, "read_only");
	pv_buf_puts(l->out, "true\n");
	tmpfs_lines(l, places, n);
	volume_lines(l, places, n);
}

int override_service(struct arena *a, const struct ctr *c, const struct override_seen *seen, const struct check_policy *p,
		     const struct finding_list *list, struct pv_buf *out, struct pv_buf *volumes)
{
	pv_autobuf body = PV_BUF_INIT;
	struct lines l = { .out = &body, .volumes = volumes, .c = c, .seen = seen, .p = p, .a = a };

	for (size_t i = 0; i < list->n; i++)
		if (finding_fails(list->item[i]) && list->item[i]->subject.name &&
		    strcmp(list->item[i]->subject.name, c->name) == 0)
			l.fails[list->item[i]->id] = true;
	if (l.fails[ID_CTR_NO_NEW_PRIVILEGES]) {
		line(&l, "security_opt");
		pv_buf_puts(&body, "[\"no-new-privileges:true\"]\n");
	}
	limit_lines(&l);
	caps_lines(&l);
	rootfs_lines(&l);
	if (l.fails[ID_CTR_RESTART_POLICY]) {
		line(&l, "restart");
		pv_buf_puts(&body, "unless-stopped\n");
	}
	if (!body.len)
		return 0;
	pv_buf_puts(out, "  ");
	pv_buf_json_str(out, c->service);
	pv_buf_puts(out, l.any ? ":\n" : ": {}\n");
	pv_buf_puts(out, pv_buf_str(&body));
	return 1;
}
