/* pavise-logs: the part of `pavise logs` that reads. It loads the rules, gives up everything but the descriptors that it was given, and
 * only then looks at the first byte of a log. What was found goes to standard output. Exit status: as in `pavise help exit-codes`. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <zlib.h>
#undef LOG_SYSLOG /* sd-journal.h brings syslog.h along */

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "logs/json.h"
#include "logs/silent.h"
#include "logs_child/logs_child.h"

#define STATUS_USAGE	  2
#define STATUS_INCOMPLETE 3
#define NOBODY		  65534
#define BUFFER		  (1u << 20)
#define ABOUT_MAX	  (1u << 20)

struct run {
	const struct logs_args *args;
	struct logs *logs;
	struct tally tally;
	struct pv_map units; /* unit -> struct unit */
	uint64_t now_us, last_line;
	enum id last_id;
	struct logs_reader *reader; /* whose events come now */
	const char *container;
	bool unread; /* something could not be read: said */
};

struct unit {
	struct logs_reader *reader;
	struct log_silent silent;
	char name[160];
};

static int confine(void)
{
	/* Reading of what is open, memory. No path but the libraries that a compressed journal needs. */
	static const char *const calls[] = {
		"read", "pread64", "readv", "write", "writev", "close", "fstat", "newfstatat", "statx", "fstatfs", "lseek", "openat", "open", "fcntl",
		"dup", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "exit", "exit_group", "rt_sigreturn", "rt_sigprocmask",
		"rt_sigaction", "sigaltstack", "restart_syscall", "getrandom", "clock_gettime", "getpid", "gettid", "tgkill", "getuid",
		"geteuid", "prlimit64", "ioctl", "poll", "ppoll", "getrusage", "sched_getaffinity", "sched_yield", "access", "faccessat", "faccessat2",
		"readlink", "readlinkat", "uname", "sysinfo", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "posix_fadvise", "fadvise64",
	};
	const struct sandbox_path paths[] = { { .path = "/usr/lib" }, { .path = "/lib" }, { .path = "/etc/ld.so.cache" }, { .path = "/etc/machine-id" } };
	int r = sandbox_basics();

	if (r == 0 && geteuid() == 0)
		r = sandbox_become(NOBODY, NOBODY, 0);
	if (r < 0)
		return r;
	r = sandbox_paths(paths, N_ELEMENTS(paths));
	if (r < 0 && r != -ENOSYS && r != -EOPNOTSUPP) /* an older kernel: what may be called is still limited */
		return r;
	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}

/* --- events --- */

static void print_event(const struct log_event *e)
{
	pv_autobuf out = PV_BUF_INIT;

	pv_buf_printf(&out, "{\"schema\":1,\"id\":\"%s\",\"severity\":\"%s\",\"service\":", id_info(e->id)->name, severity_name(e->severity));
	pv_buf_json_str(&out, e->service);
	if (e->strength != LOG_NO_LOGIN)
		pv_buf_printf(&out, ",\"strength\":\"%s\"", e->strength == LOG_STRONG ? "strong" : "weak");
	pv_buf_printf(&out, ",\"attempt\":\"%016llx\",\"rule\":", (unsigned long long) (e->attempt ? e->attempt : e->line * 0x9e3779b97f4a7c15ULL));
	pv_buf_json_str(&out, e->rule);
	if (e->has_address) {
		pv_buf_puts(&out, ",\"address\":\"");
		ip_format(&out, &e->address);
		pv_buf_putc(&out, '"');
	}
	if (*e->user) {
		pv_buf_puts(&out, ",\"user\":");
		pv_buf_json_str(&out, e->user);
	}
	pv_buf_puts(&out, ",\"time\":\"");
	clock_rfc3339(&out, e->time_us);
	pv_buf_puts(&out, "\",\"source\":");
	pv_buf_json_str(&out, e->source);
	pv_buf_printf(&out, ",\"line\":%llu}", (unsigned long long) e->line);
	(void) puts(pv_buf_str(&out));
}

static int on_event(const struct log_event *e, void *arg)
{
	struct run *run = arg;
	const struct logs_args *a = run->args;
	const char *name = id_info(e->id)->name;

	if (e->id == ID_LOGS_AUTH_FAILURE && e->strength != LOG_STRONG && e->strength != LOG_WEAK)
		return 0;
	if (e->time_us < a->since_us || (a->only && !text_listed(a->only, name)) || (a->skip && text_listed(a->skip, name)))
		return 0;
	if (!a->events)
		return tally_add(&run->tally, run->reader, e);
	if (e->line && e->line == run->last_line && e->id == run->last_id) /* one object for a line, however many attempts it tells */
		return 0;
	run->last_line = e->line;
	run->last_id = e->id;
	print_event(e);
	return 0;
}

static int say_silent(struct run *run, struct logs_reader *r, const char *source, struct log_silent *s)
{
	struct log_event e = { .id = ID_LOGS_SILENT, .severity = id_info(ID_LOGS_SILENT)->severity, .service = "", .rule = "logs.silent",
			       .source = source };
	pv_autobuf text = PV_BUF_INIT;
	uint64_t since;

	if (!run->args->usual || !log_silent_due(s, run->now_us, &since))
		return 0;
	pv_buf_puts(&text, "nothing for ");
	clock_duration(&text, run->now_us - since);
	pv_buf_printf(&text, "; before, after %llu lines, the longest pause was ", (unsigned long long) s->lines);
	clock_duration(&text, s->longest_us);
	e.time_us = run->now_us;
	e.text = pv_buf_str(&text);
	e.text_len = text.len;
	run->reader = r;
	return on_event(&e, run);
}

/* --- files --- */

static void see_times(struct run *run, struct logs_reader *r, struct log_silent *s, const char *buf, size_t len)
{
	for (const char *p = buf, *nl; run->args->usual && (nl = memchr(p, '\n', len - (size_t) (p - buf))); p = nl + 1) {
		uint64_t us;

		if (logs_time(r, p, (size_t) (nl - p), run->now_us, &us))
			log_silent_seen(s, us);
	}
}

static int read_lines(struct run *run, struct logs_reader *r, gzFile in, struct log_silent *silent)
{
	pv_autofree char *buf = malloc(BUFFER);
	size_t have = 0, used;
	int n, e = buf ? 0 : -ENOMEM;

	while (e == 0 && (n = gzread(in, buf + have, (unsigned) (BUFFER - have))) > 0) {
		have += (size_t) n;
		e = logs_lines(r, buf, have, run->now_us, on_event, run, &used);
		if (e)
			break;
		see_times(run, r, silent, buf, used);
		have -= used;
		memmove(buf, buf + used, have);
	}
	if (e == 0 && n < 0)
		return -EIO;
	return e ? e : logs_end(r, buf, have, run->now_us, on_event, run);
}

static bool is_rotated(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && (strcmp(name + n - 3, ".gz") == 0 || (name[n - 1] >= '0' && name[n - 1] <= '9'));
}

static int look_at(struct run *run, int fd, const struct log_source *source, bool may_be_silent)
{
	struct log_silent silent = { 0 };
	pv_auto(logs_reader) r = NULL;
	struct logs_counts c;
	struct stat st;
	gzFile in;
	int e;

	if (fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && (uint64_t) st.st_mtim.tv_sec * USEC_PER_SEC + USEC_PER_SEC < run->args->since_us && !may_be_silent))
		return 0;
	in = gzdopen(fd, "rb");
	if (!in)
		return -ENOMEM;
	(void) gzbuffer(in, 256u << 10);
	e = logs_reader_new(run->logs, source, &r);
	if (e == 0) {
		run->reader = r;
		run->last_line = 0;
		e = read_lines(run, r, in, &silent);
	}
	if (gzclose(in) != Z_OK && e == 0) /* ended too early */
		e = -EIO;
	if (e == -EIO) {
		pv_autobuf what = PV_BUF_INIT;

		pv_buf_safe(&what, source->name, 0);
		log_warning("%s: not all of it can be read: it is damaged", pv_buf_str(&what));
		run->unread = true;
		e = 0;
	}
	if (e < 0)
		return e;
	c = logs_reader_counts(r);
	run->tally.lines += c.lines;
	run->tally.cut += c.cut;
	run->tally.sources++;
	return may_be_silent ? say_silent(run, r, source->name, &silent) : 0;
}

static int look_at_file(struct run *run, const struct logs_file *f)
{
	pv_autobuf name = PV_BUF_INIT;
	struct log_source s = { .kind = LOG_FILE, .service = run->args->service };

	pv_buf_printf(&name, "file:%s", f->name);
	s.name = pv_buf_str(&name);
	return look_at(run, f->fd, &s, run->args->usual && !is_rotated(f->name));
}

/* Name and image of a container, from the description that Docker keeps beside its log. */
static int look_at_container(struct run *run, const struct logs_file *f)
{
	static const char *const keys[] = { "Name", "Config.Image", "Config.Labels.com" };
	pv_autofree char *about = calloc(1, ABOUT_MAX);
	pv_autobuf name = PV_BUF_INIT, image = PV_BUF_INIT;
	struct json_value v[N_ELEMENTS(keys)] = { { 0 } };
	struct log_source s = { .kind = LOG_CONTAINER, .service = run->args->service, .docker_json = true };
	ssize_t n = about && f->about >= 0 ? pread(f->about, about, ABOUT_MAX, 0) : -1;

	pv_buf_puts(&name, "container:");
	if (n > 0 && json_values(about, (size_t) n, keys, N_ELEMENTS(keys), v) == 0 && v[0].string && v[0].len > 1) {
		v[0].raw++; /* the slash */
		v[0].len--;
		json_decode(&name, &v[0]);
		json_decode(&image, &v[1]);
	} else {
		pv_buf_puts(&name, f->name);
	}
	if (run->args->container && strcmp(pv_buf_str(&name) + 10, run->args->container) != 0 && strncmp(f->name, run->args->container, 12) != 0)
		return 0;
	s.name = pv_buf_str(&name);
	s.image = pv_buf_str(&image);
	if (!s.service && image.len)
		s.service = logs_service_of_image(run->logs, s.image);
	return look_at(run, f->fd, &s, run->args->usual);
}

/* --- the journal --- */

static void field(sd_journal *j, const char *name, char *out, size_t size)
{
	const void *data;
	size_t len, skip = strlen(name) + 1;

	*out = '\0';
	if (sd_journal_get_data(j, name, &data, &len) < 0 || len <= skip)
		return;
	len = PV_MIN(len - skip, size - 1);
	memcpy(out, (const char *) data + skip, len);
	out[len] = '\0';
}

static struct unit *unit_of(struct run *run, const char *name)
{
	uint64_t key = 0xcbf29ce484222325ULL;
	struct log_source s = { .kind = LOG_JOURNAL, .service = run->args->service };
	struct unit *u;

	for (const char *p = name; *p; p++)
		key = (key ^ (unsigned char) *p) * 0x100000001b3ULL;
	u = pv_map_get(&run->units, key);
	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	(void) snprintf(u->name, sizeof(u->name), "journal:%.140s", *name ? name : "-");
	s.name = u->name;
	if (logs_reader_new(run->logs, &s, &u->reader) < 0 || pv_map_put(&run->units, key, u) < 0) {
		logs_reader_free(u->reader);
		free(u);
		return NULL;
	}
	run->tally.sources++;
	return u;
}

static bool unit_wanted(const struct run *run, const char *unit)
{
	const char *want = run->args->unit;
	size_t n = want ? strlen(want) : 0;

	return !want || strcmp(unit, want) == 0 || (strncmp(unit, want, n) == 0 && strcmp(unit + n, ".service") == 0);
}

static int look_at_record(struct run *run, sd_journal *j)
{
	char unit[160], transport[32], identifier[128], number[24];
	struct log_record rec = { .line = ++run->tally.records };
	const void *data;
	struct unit *u;

	field(j, "_SYSTEMD_UNIT", unit, sizeof(unit));
	if (!*unit)
		field(j, "_SYSTEMD_SLICE", unit, sizeof(unit));
	if (!unit_wanted(run, unit) || sd_journal_get_data(j, "MESSAGE", &data, &rec.len) < 0 || rec.len < 8 ||
	    sd_journal_get_realtime_usec(j, &rec.time_us) < 0)
		return 0;
	rec.text = (const char *) data + 8;
	rec.len -= 8;
	u = unit_of(run, unit);
	if (!u)
		return -ENOMEM;
	field(j, "_TRANSPORT", transport, sizeof(transport));
	field(j, "SYSLOG_IDENTIFIER", identifier, sizeof(identifier));
	field(j, "_UID", number, sizeof(number));
	rec.has_uid = *number != '\0';
	rec.uid = (uint32_t) strtoul(number, NULL, 10);
	field(j, "_PID", number, sizeof(number));
	rec.pid = (uint32_t) strtoul(number, NULL, 10);
	if (sd_journal_get_data(j, "MESSAGE", &data, &rec.len) < 0) /* the other fields moved its window */
		return 0;
	rec.text = (const char *) data + 8;
	rec.len -= 8;
	rec.unit = unit;
	rec.transport = transport;
	rec.identifier = identifier;
	log_silent_seen(&u->silent, rec.time_us);
	run->reader = u->reader;
	run->tally.lines++;
	return logs_record(u->reader, &rec, on_event, run);
}

static int look_at_journal(struct run *run)
{
	sd_journal *j = NULL;
	struct unit *u;
	size_t at = 0;
	int r;

	if (!run->args->n_journals)
		return 0;
	r = sd_journal_open_files_fd(&j, (int *) (uintptr_t) run->args->journal, (unsigned) run->args->n_journals, 0);
	if (r < 0) {
		(void) log_warning_errno(r, "the journal cannot be read");
		run->unread = true;
		return 0;
	}
	(void) sd_journal_set_data_threshold(j, LOG_LINE_MAX + 64);
	r = run->args->since_us ? sd_journal_seek_realtime_usec(j, run->args->since_us) : sd_journal_seek_head(j);
	while (r >= 0 && (r = sd_journal_next(j)) > 0)
		r = look_at_record(run, j);
	sd_journal_close(j);
	while (r >= 0 && (u = pv_map_next(&run->units, &at)))
		r = say_silent(run, u->reader, u->name, &u->silent);
	return r;
}

/* --- one line, tried --- */

static int show_trial(const struct logs_trial *t, void *arg)
{
	pv_autobuf out = PV_BUF_INIT;

	if (t->why) {
		pv_buf_printf(&out, "  %-26s no: %s\n", t->rule->id, t->why);
	} else {
		*(bool *) arg = true;
		pv_buf_printf(&out, "  %-26s takes it: %s", t->rule->id, id_info(t->event.id)->name);
		if (t->event.strength != LOG_NO_LOGIN) {
			static const char *const words[] = { "", "strong", "weak", "belongs to an attempt, counts for nothing", "a login" };

			pv_buf_printf(&out, ", %s", words[t->event.strength]);
		}
		if (t->event.has_address) {
			pv_buf_puts(&out, ", address ");
			ip_format(&out, &t->event.address);
		}
		if (*t->event.user) {
			pv_buf_puts(&out, ", user ");
			pv_buf_safe(&out, t->event.user, 0);
		}
		pv_buf_puts(&out, ", ");
		clock_local(&out, t->event.time_us);
		pv_buf_printf(&out, "\n%28s (%s, %s)\n", "", t->rule->origin, t->rule->verified ? "written from real lines" : "written from documentation");
	}
	(void) fputs(pv_buf_str(&out), stdout);
	return 0;
}

static int try_line(struct run *run)
{
	const char *line = run->args->line;
	struct log_source s = { .kind = LOG_SYSLOG, .name = "line", .service = run->args->service, .docker_json = strncmp(line, "{\"log\":", 7) == 0 };
	struct log_record rec = { .text = line, .len = strlen(line), .time_us = run->now_us, .line = 1 };
	pv_auto(logs_reader) r = NULL;
	bool taken = false;
	int e;

	if (s.docker_json)
		s.kind = LOG_CONTAINER;
	e = logs_reader_new(run->logs, &s, &r);
	if (e == 0)
		e = logs_try(r, &rec, show_trial, &taken);
	if (e == 0 && !taken)
		(void) puts("no rule takes this line");
	return e;
}

/* --- the result --- */

static int report(struct run *run)
{
	const struct logs_args *a = run->args;
	struct finding_list list = { 0 };
	pv_autobuf out = PV_BUF_INIT;
	int r, status;

	tally_sort(&run->tally);
	r = tally_findings(&run->tally, &list);
	if (r == 0 && strcmp(a->format->name, "table") == 0) {
		tally_screen(&run->tally, a, &out);
		(void) fputs(pv_buf_str(&out), stdout);
	} else if (r == 0) {
		const struct findings_report fr = { .command = "logs", .list = &list, .now_us = run->now_us, .all = a->all };

		finding_list_sort(&list);
		r = a->format->write(stdout, &fr);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = -EIO;
	status = finding_list_status(&list, a->fail_on);
	finding_list_done(&list);
	if (r < 0)
		return r;
	return status ? status : run->unread ? STATUS_INCOMPLETE : 0;
}

static int look_all(struct run *run)
{
	const struct logs_args *a = run->args;
	int r = 0;

	for (size_t i = 0; i < a->n_files && r == 0; i++)
		r = look_at_file(run, &a->file[i]);
	for (size_t i = 0; i < a->n_own && r == 0; i++)
		r = look_at_container(run, &a->own[i]);
	if (r == 0)
		r = look_at_journal(run);
	if (run->tally.cut)
		log_warning("%llu lines were longer than %u bytes: only their beginning was looked at", (unsigned long long) run->tally.cut, LOG_LINE_MAX);
	if (r < 0)
		return r;
	return a->events ? fflush(stdout) != 0 ? -EIO : run->unread ? STATUS_INCOMPLETE : 0 : report(run);
}

static int start(struct run *run)
{
	const struct match_where where = { .paths = run->args->rules, .n_paths = run->args->n_rules, .cache_dir = run->args->cache };
	pv_autobuf err = PV_BUF_INIT;
	int r = logs_open(&where, &run->logs, &err);

	if (r < 0) {
		(void) fputs(pv_buf_str(&err), stderr);
		return log_error_errno(r, "the rules cannot be used");
	}
	if (run->args->service && !logs_has_service(run->logs, run->args->service)) {
		pv_autobuf name = PV_BUF_INIT;

		pv_buf_safe(&name, run->args->service, 0);
		log_error("there are no rules for a service `%s`; the files in /usr/share/pavise/rules/log name them", pv_buf_str(&name));
		return -EINVAL;
	}
	r = confine();
	return r < 0 ? log_error_errno(r, "cannot give up its rights") : 0;
}

int main(int argc, char **argv)
{
	static struct logs_args args;
	static struct run run;
	int r;

	log_open("pavise-logs");
	if (logs_args_read(&args, argc, argv) < 0)
		return STATUS_USAGE;
	run.args = &args;
	run.now_us = clock_wall_us();
	r = start(&run);
	if (r == 0)
		r = args.line ? try_line(&run) : look_all(&run);
	if (r == -EINVAL)
		r = STATUS_USAGE;
	else if (r < 0) {
		(void) log_error_errno(r, "the logs could not be read to their end");
		r = STATUS_INCOMPLETE;
	}
	tally_done(&run.tally);
	(void) logs_free(run.logs);
	return r;
}
