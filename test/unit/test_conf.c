/* The configuration: what is read, what is refused and where, and that nothing hostile breaks it. */
#include "check.h"

#include <ctype.h>
#include <sys/stat.h>

#include "base/util.h"
#include "model/conf.h"
#include "model/conf_files.h"
#include "model/suggest.h"

/* The library itself forgets a buffer at some unfinished quotes (0.7.12). The policy child reads once and ends, so this is
 * no matter of ours; leaks of our own code are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

static struct policy p;

static int read_text(const char *text, struct pv_buf *err, struct pv_buf *notes)
{
	conf_defaults(&p);
	return conf_read_noted(&p, "c.yaml", text, strlen(text), err, notes, NULL);
}

static void test_defaults(void **state)
{
	pv_autobuf err = PV_BUF_INIT;

	(void) state;
	conf_defaults(&p);
	assert_int_equal(conf_finish(&p, &err), 0);
	CHECK_STR(pv_buf_str(&err), "", "no error");
	assert_int_equal(p.observe, 0);
	CHECK_STR(p.state_dir, "/var/lib/pavise", "state_dir");
	CHECK_STR(p.docker_socket, "/var/run/docker.sock", "docker");
	assert_int_equal(p.cpu.limit, 8000);
	assert_int_equal(p.cpu.hold_us, 300000000);
	assert_int_equal(p.cpu.action, ACTION_KILL);
	assert_int_equal(p.memory.limit, 450u << 20);
	assert_int_equal(p.memory.of_limit, 8800);
	assert_int_equal(p.memory.action, ACTION_ALERT);
	assert_int_equal(p.pids.limit, 50);
	assert_int_equal(p.net.n_ports, 3);
	assert_int_equal(p.net.ports[2], 14444);
	assert_int_equal(p.net.action, ACTION_BLOCK);
	assert_int_equal(p.dns.n_names, 2);
	CHECK_STR(p.dns.names[1], "*.mine.*", "second pattern");
	assert_int_equal(p.dns.n_allow, 1);
	CHECK_STR(p.dns.allow[0], "pool.ntp.org", "built in");
	assert_int_equal(p.sample_us, 5000000);
	assert_int_equal(p.login.limit, 5);
	assert_int_equal(p.login.weak_limit, 30);
	assert_int_equal(p.login.within_us, 600000000);
	assert_int_equal(p.login.action, ACTION_BAN);
	assert_int_equal(p.login.ban_us, 3600000000);
	assert_int_equal(p.logs.journal, 1);
	assert_int_equal(p.logs.containers, 1);
	assert_int_equal(p.ban.raw, 0);
	assert_int_equal(p.ban.max_us, 365 * 86400000000);
	assert_int_equal(p.ban.prefix6, 64);
	assert_int_equal(p.ban.budget.n, 50);
	assert_int_equal(p.ban.budget.us, 3600000000);
	assert_int_equal(policy_check(&p), 0);
}

/* What each text must be told; the position is part of it. */
static const struct {
	const char *text, *want;
} wrong[] = {
	{ "mode: enforcing", "c.yaml:1:7: mode: `enforcing` does not fit; right would be enforce, observe\n" },
	{ "cpu:\n  limit:\n", "c.yaml:2:3: cpu.limit: is empty; right would be a percentage from 1% to 102400%\n" },
	{ "\xff\xfe: 1", "c.yaml:1:1: is not UTF-8 text\n" },
	{ "a: 1\nb: \xed\xa0\x80", "c.yaml:2:4: is not UTF-8 text\n" },
	{ "a: 1\nb: [2\n", "c.yaml:3:1: is not YAML: flow sequence without a closing bracket\n" },
	{ "mode:", "c.yaml:1:1: mode: is empty; right would be enforce, observe\n" },
	{ "mode: [observe]", "c.yaml:1:7: mode: is a list; right would be enforce, observe\n" },
	{ "cpu: {limit: 0%}", "c.yaml:1:14: cpu.limit: `0%` does not fit; right would be a percentage from 1% to 102400%\n" },
	{ "cpu: {limit: 80}", "c.yaml:1:14: cpu.limit: `80` does not fit; right would be a percentage from 1% to 102400%\n" },
	{ "cpu: {for: 1x}", "c.yaml:1:12: cpu.for: `1x` does not fit; right would be a time from 1s to 1d\n" },
	{ "cpu:\n  for: 99d\n", "c.yaml:2:8: cpu.for: `99d` does not fit; right would be a time from 1s to 1d\n" },
	{ "cpu: {action: block}",
	  "c.yaml:1:15: cpu.action: `block` does not fit; right would be ignore, alert, kill, stop, freeze\n" },
	{ "net: {action: kill}", "c.yaml:1:15: net.action: `kill` does not fit; right would be ignore, alert, block\n" },
	{ "net: {action: no}", "c.yaml:1:15: net.action: `no` does not fit; right would be ignore, alert, block\n" },
	{ "memory: {limit: 1k}", "c.yaml:1:17: memory.limit: `1k` does not fit; right would be a size from 1MiB to 1048576GiB\n" },
	{ "pids: {limit: -1}", "c.yaml:1:15: pids.limit: `-1` does not fit; right would be a number from 1 to 4194304\n" },
	{ "pids: {limit: 99999999999999999999}",
	  "c.yaml:1:15: pids.limit: `99999999999999999999` does not fit; right would be a number from 1 to 4194304\n" },
	{ "pids: 5", "c.yaml:1:7: pids: is a section; right would be `key: value` lines below it\n" },
	{ "net: {ports: [0]}", "c.yaml:1:15: net.ports: `0` does not fit; right would be a list of ports from 1 to 65535\n" },
	{ "net: {ports: 3333}", "c.yaml:1:14: net.ports: is a single value; right would be a list of ports from 1 to 65535\n" },
	{ "net: {allow: [10.0.0.0/33]}",
	  "c.yaml:1:15: net.allow: `10.0.0.0/33` does not fit; right would be a list of at most 64 addresses or networks such as "
	  "203.0.113.0/24\n" },
	{ "dns: {names: [\"*\"]}",
	  "c.yaml:1:15: dns.names: `*` would take every name; right would be one with at least one label, such as pool.*\n" },
	{ "login: {action: kill}", "c.yaml:1:17: login.action: `kill` does not fit; right would be ignore, alert, ban\n" },
	{ "login: {paths: [admin]}",
	  "c.yaml:1:17: login.paths: `admin` is not the path of a page; right would be one such as /admin/login, at most 127 bytes\n" },
	{ "logs: {journal: maybe}", "c.yaml:1:17: logs.journal: `maybe` does not fit; right would be yes, no\n" },
	{ "logs: {ban: [Grafana]}",
	  "c.yaml:1:14: logs.ban: `Grafana` is not a service; right would be the name of a rule file such as nginx or sshd\n" },
	{ "logs: {files: [log]}", "c.yaml:1:16: logs.files: `log` is not an absolute path; right would be one that starts with /\n" },
	{ "logs: {files: [{path: /a, servcie: nginx}]}",
	  "c.yaml:1:27: logs.files: `servcie` is not known here; did you mean `service`?\n" },
	{ "ban: {budget: 50}", "c.yaml:1:15: ban.budget: `50` does not fit; right would be a number from 0 to 100000 and a time, such as 50/h\n" },
	{ "ban: {budget: 50/}", "c.yaml:1:15: ban.budget: `50/` does not fit; right would be a number from 0 to 100000 and a time, such as 50/h\n" },
	{ "ban: {prefix6: 48}", "c.yaml:1:16: ban.prefix6: `48` does not fit; right would be a number from 56 to 128\n" },
	{ "never_ban: 203.0.113.7",
	  "c.yaml:1:12: never_ban: is a single value; right would be a list of at most 64 addresses or networks such as 203.0.113.0/24\n" },
	{ "state_dir: var", "c.yaml:1:12: state_dir: `var` is not an absolute path; right would be one that starts with /\n" },
	{ "state_dir: /a/../b", "c.yaml:1:12: state_dir: `/a/../b` holds `..` or `//`; right would be the plain path\n" },
	{ "state_dir: no", "c.yaml:1:12: state_dir: `no` is not an absolute path; right would be one that starts with /\n" },
	{ "mdoe: x", "c.yaml:1:1: `mdoe` is not a key of the configuration; did you mean `mode`?\n" },
	{ "cpu: {lmiit: 1%}", "c.yaml:1:7: `cpu.lmiit` is not a key of the configuration; did you mean `cpu.limit`?\n" },
	{ "ntofiy: {}", "c.yaml:1:1: `ntofiy` is not a key of the configuration; did you mean `notify`?\n" },
	{ "xyzzy: {}", "c.yaml:1:1: `xyzzy` is not a key of the configuration; all keys: pavise config sample\n" },
	{ "cpu.limit: 5%",
	  "c.yaml:1:1: cpu.limit: is written with a dot; right would be the second word below the first, as in `cpu: {limit: "
	  "80%}`\n" },
	{ "scan: {}", "c.yaml:1:1: scan: belongs into a project's own .pavise.yaml, not into the host's configuration\n" },
	{ "mode: observe\nmode: enforce", "c.yaml:2:1: sets `mode` a second time (first in line 1); keep one of the two\n" },
	{ "cpu: {for: 5m, for: 6m}", "c.yaml:1:16: sets `for` a second time (first in line 1); keep one of the two\n" },
	{ "[mode]: x", "c.yaml:1:1: has a list or map as a key; keys are words\n" },
	{ "- mode", "c.yaml:1:1: configuration: is not made of `key: value` lines; a sample: pavise config sample\n" },
	{ "mode: !!int 5", "c.yaml:1:13: has a tag (!...), which the configuration does not use; leave it out\n" },
	{ "mode: \"a\\0b\"", "c.yaml:1:7: holds a NUL character\n" },
	{ "mode: enforce\n---\nmode: observe\n", "c.yaml:2:1: starts a second document; put everything into one, without ---\n" },
	{ "mode: *m", "c.yaml:1:8: refers to an anchor that is not set before it\n" },
	{ "exceptions: &a [*a]", "c.yaml:1:18: refers to an anchor that is not set before it\n" },
	{ "exceptions: [{signal: cpu}]",
	  "c.yaml:1:14: exceptions: lacks `name`; right would be a list of {name, signal, action}\n" },
	{ "exceptions: [{name: a, signal: disk}]",
	  "c.yaml:1:32: exceptions: signal `disk` is not known; right would be cpu, memory, pids, net, dns, login, exec, or all\n" },
	{ "exceptions: [{name: a, action: kill}]",
	  "c.yaml:1:32: exceptions: action `kill` does not fit; right would be ignore or alert\n" },
	{ "exceptions: [web]", "c.yaml:1:14: exceptions: is a single value; right would be a list of {name, signal, action}\n" },
	{ "exceptions: [{name: a, singal: cpu}]", "c.yaml:1:24: exceptions: `singal` is not known here; did you mean `signal`?\n" },
	{ "notify: {channels: [{url: \"http://example.org/x\"}]}",
	  "c.yaml:1:27: notify.channels: url is not encrypted; right would be https://\n" },
	{ "notify: {channels: [{url: \"slack://x\"}]}",
	  "c.yaml:1:27: notify.channels: url names a kind of channel that this version does not have; right would be https://..., "
	  "syslog: or journal:\n" },
	{ "notify: {channels: [{url: \"https://x y/\"}]}", "c.yaml:1:27: notify.channels: url holds a space or control character\n" },
	{ "notify: {channels: [{url: \"journal:\", min_severity: bad}]}",
	  "c.yaml:1:53: notify.channels: min_severity `bad` is not known; right would be info, low, medium, high or critical\n" },
};

static void test_wrong(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		pv_autobuf err = PV_BUF_INIT;

		CHECK(read_text(wrong[i].text, &err, NULL) == -EINVAL, "%s", wrong[i].text);
		CHECK_STR(pv_buf_str(&err), wrong[i].want, "%s", wrong[i].text);
	}
}

static void test_syntax(void **state)
{
	static const char *const texts[] = { "a: [1", "\tmode: x", "a: 'b", "{", "mode: enforce\n bad", "\xff\xfe: 1", "%YAML 3.0\n" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		pv_autobuf err = PV_BUF_INIT;

		CHECK(read_text(texts[i], &err, NULL) == -EINVAL, "%s", texts[i]);
		CHECK(strncmp(pv_buf_str(&err), "c.yaml:", 7) == 0 && isdigit((unsigned char) err.data[7]), "%s: %s", texts[i],
		      pv_buf_str(&err));
	}
}

static void test_several_and_no_flood(void **state)
{
	pv_autobuf err = PV_BUF_INIT, text = PV_BUF_INIT;
	size_t lines = 0;

	(void) state;
	pv_buf_puts(&text, "net:\n  ports: [");
	for (int i = 0; i < 500; i++)
		pv_buf_puts(&text, "x, ");
	pv_buf_puts(&text, "1]\nmode: x\n");
	assert_int_equal(read_text(pv_buf_str(&text), &err, NULL), -EINVAL);
	for (const char *s = pv_buf_str(&err); *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, 21);
	assert_non_null(strstr(pv_buf_str(&err), "and more; mend these first"));
}

static void test_good(void **state)
{
	static const char text[] =
		"# a comment\n"
		"mode: observe\n"
		"docker: {socket: no}\n"
		"cpu:\n  limit: 12.5%\n  for: 90s\n"
		"memory: &m\n  limit: 1GiB\n"
		"pids:\n"
		"net: {ports: [1, 65535, 1], internal: [203.0.113.0/24, \"2001:db8::/32\"], action: alert}\n"
		"dns: {names: [Pool.*., \"*.x.*\"], allow: [a.example]}\n"
		"schedule: {monitor: 6h}\n"
		"notify:\n  channels:\n"
		"    - {url: \"https://user:secret@hooks.example.org/T0/abc\", secret_file: /etc/pavise/key}\n"
		"    - {url: \"journal:\", min_severity: high, name: log}\n"
		"exceptions:\n  - {name: \"shop/*\", signal: cpu}\n  - {name: ci, action: alert}\n";
	pv_autobuf err = PV_BUF_INIT, notes = PV_BUF_INIT;

	(void) state;
	CHECK(read_text(text, &err, &notes) == 0, "%s", pv_buf_str(&err));
	CHECK(conf_finish(&p, &err) == 0, "%s", pv_buf_str(&err));
	CHECK_STR(pv_buf_str(&notes), "c.yaml:12:1: note: `schedule` is known, but not used by this version\n", "note");
	assert_int_equal(p.observe, 1);
	CHECK_STR(p.docker_socket, "", "docker off");
	assert_int_equal(p.cpu.limit, 1250);
	assert_int_equal(p.cpu.hold_us, 90000000);
	assert_int_equal(p.memory.limit, 1u << 30);
	assert_int_equal(p.net.n_ports, 2);
	assert_int_equal(p.net.n_internal, 2);
	CHECK_STR(p.dns.names[0], "pool.*", "folded, no root dot");
	assert_int_equal(p.dns.n_allow, 2);
	CHECK_STR(p.dns.allow[1], "pool.ntp.org", "the built-in name stays");
	assert_int_equal(p.n_channels, 2);
	CHECK_STR(p.channels[0].name, "hooks.example.org", "named after the host, without user and password");
	assert_int_equal(p.channels[1].min_severity, 3);
	assert_int_equal(p.n_exceptions, 2);
	assert_int_equal(p.exceptions[0].signal, SIGNAL_CPU);
	assert_int_equal(p.exceptions[0].action, ACTION_IGNORE);
	assert_int_equal(p.exceptions[0].line, 18);
	CHECK_STR(p.exceptions[0].origin, "c.yaml", "origin");
	assert_int_equal(p.exceptions[1].signal, SIGNAL_N);
	assert_int_equal(p.exceptions[1].action, ACTION_ALERT);
}

static void test_files_in_turn(void **state)
{
	static const char one[] = "mode: observe\nnet: {ports: [1, 2]}\nexceptions: [{name: a}]\ncpu: {limit: 70%}\n";
	static const char two[] = "mode: enforce\nnet: {ports: [3]}\nexceptions: [{name: b}]\n";
	static struct conf_origins o;
	pv_autobuf err = PV_BUF_INIT, out = PV_BUF_INIT;

	(void) state;
	conf_defaults(&p);
	assert_int_equal(conf_read_noted(&p, "1.yaml", one, sizeof(one) - 1, &err, NULL, &o), 0);
	assert_int_equal(conf_read_noted(&p, "2.yaml", two, sizeof(two) - 1, &err, NULL, &o), 0);
	assert_int_equal(conf_finish(&p, &err), 0);
	assert_int_equal(p.observe, 0);
	assert_int_equal(p.net.n_ports, 1);
	assert_int_equal(p.net.ports[0], 3);
	assert_int_equal(p.n_exceptions, 2);
	conf_show(&out, &p, &o);
	assert_non_null(strstr(pv_buf_str(&out), "mode: enforce  # 2.yaml:1\n"));
	assert_non_null(strstr(pv_buf_str(&out), "  limit: 70%  # 1.yaml:4\n"));
	assert_non_null(strstr(pv_buf_str(&out), "  ports: [3]  # 2.yaml:2\n"));
	assert_non_null(strstr(pv_buf_str(&out), "  for: 5m  # default\n"));
	assert_non_null(strstr(pv_buf_str(&out), "{name: \"b\", signal: all, action: ignore}  # 2.yaml:3\n"));
}

static void test_cross_checks(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "cpu: {for: 10s}\nsample: 3s", "shorter than five times" },
		{ "login: {ban: 2h}\nban: {max: 1h}", "ban.max is shorter" },
		{ "notify: {channels: [{url: \"journal:\"}, {url: \"journal:\"}]}", "two channels are named `journal`" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf err = PV_BUF_INIT;

		assert_int_equal(read_text(cases[i].text, &err, NULL), 0);
		assert_int_equal(conf_finish(&p, &err), -EINVAL);
		CHECK(strstr(pv_buf_str(&err), cases[i].want), "%s: %s", cases[i].text, pv_buf_str(&err));
	}
}

/* 64 patterns of 4 labels each are as many tokens as the table has; more is said, not cut. */
static void test_too_many_labels(void **state)
{
	pv_autobuf err = PV_BUF_INIT, text = PV_BUF_INIT;

	(void) state;
	pv_buf_puts(&text, "dns: {names: [");
	for (int i = 0; i < 64; i++)
		pv_buf_printf(&text, "%sa%d.b.c.d.e.f", i ? ", " : "", i);
	pv_buf_puts(&text, "]}\n");
	CHECK(read_text(pv_buf_str(&text), &err, NULL) == 0, "%s", pv_buf_str(&err));
	assert_int_equal(conf_finish(&p, &err), -EINVAL);
	CHECK(strstr(pv_buf_str(&err), "dns.names, dns.allow: "), "%s", pv_buf_str(&err));
}

static void test_caps(void **state)
{
	pv_autobuf err = PV_BUF_INIT, text = PV_BUF_INIT;

	(void) state;
	for (int i = 0; i < 70; i++)
		pv_buf_puts(&text, "[");
	assert_int_equal(read_text(pv_buf_str(&text), &err, NULL), -EINVAL);
	pv_buf_clear(&text);
	pv_buf_clear(&err);
	pv_buf_puts(&text, "exceptions: [&a {name: x}");
	for (int i = 0; i < 101; i++)
		pv_buf_puts(&text, ", *a");
	pv_buf_puts(&text, "]\n");
	assert_int_equal(read_text(pv_buf_str(&text), &err, NULL), -EINVAL);
	assert_non_null(strstr(pv_buf_str(&err), "too many aliases"));
	pv_buf_clear(&text);
	pv_buf_clear(&err);
	while (text.len <= 1u << 20)
		pv_buf_puts(&text, "# 78 characters of nothing ..................................................\n");
	assert_int_equal(read_text(pv_buf_str(&text), &err, NULL), -EINVAL);
	CHECK_STR(pv_buf_str(&err), "c.yaml:1:1: is too large; at most 1 MiB\n", "size");
	/* the classic: nine levels of nine aliases would be 387 million nodes if they were copied */
	pv_buf_clear(&text);
	pv_buf_clear(&err);
	pv_buf_puts(&text, "x0: &l0 [a]\n");
	for (int i = 1; i < 10; i++) {
		pv_buf_printf(&text, "x%d: &l%d [", i, i);
		for (int j = 0; j < 9; j++)
			pv_buf_printf(&text, "%s*l%d", j ? ", " : "", i - 1);
		pv_buf_puts(&text, "]\n");
	}
	assert_int_equal(read_text(pv_buf_str(&text), &err, NULL), -EINVAL);
}

/* What is shown reads back as the same policy, and the sample's defaults are the defaults. */
static void test_round_trip(void **state)
{
	static struct policy again;
	pv_autobuf err = PV_BUF_INIT, out = PV_BUF_INIT, sample = PV_BUF_INIT, bare = PV_BUF_INIT, notes = PV_BUF_INIT;

	(void) state;
	assert_int_equal(read_text("cpu: {for: 61s, limit: 33.33%}\nmemory: {limit: 450MB}\nnet: {allow: [\"::1\", 10.0.0.0/8]}\n"
				   "notify: {channels: [{url: \"syslog:\", name: \"a \\\"b\\\"\"}]}\nexceptions: [{name: 'x\\y', signal: dns}]\n"
				   "login: {paths: [/admin/login], weak_limit: 7, ban: 2d}\nban: {raw: yes, budget: 3/m, max: 3y}\n"
				   "logs: {files: [/srv/a.log, {path: \"/srv/b/*.log\", service: nginx}], ban: [grafana], journal: no}\n"
				   "proxies: [10.0.0.1]\nnever_ban: [\"2001:db8::/32\"]\n",
				   &err, NULL), 0);
	assert_int_equal(conf_finish(&p, &err), 0);
	conf_show(&out, &p, NULL);
	conf_defaults(&again);
	CHECK(conf_read(&again, "again", pv_buf_str(&out), out.len, &err) == 0, "%s%s", pv_buf_str(&err), pv_buf_str(&out));
	assert_int_equal(conf_finish(&again, &err), 0);
	again.exceptions[0].line = p.exceptions[0].line;
	memcpy(again.exceptions[0].origin, p.exceptions[0].origin, sizeof(p.exceptions[0].origin));
	assert_memory_equal(&again, &p, sizeof(p));

	/* the sample with its keys (not its sentences) taken out of their comments: each is read, none only known */
	conf_sample(&sample);
	for (const char *s = pv_buf_str(&sample); *s;) {
		size_t n = strcspn(s, "\n") + 1;

		if (s[0] == '#' && s[1] != ' ')
			pv_buf_add(&bare, s + 1, n - 1);
		else if (strncmp(s, "#  ", 3) == 0 && s[3] != ' ')
			pv_buf_add(&bare, s + 1, n - 1);
		s += n;
	}
	conf_defaults(&p);
	conf_defaults(&again);
	pv_buf_clear(&err);
	CHECK(conf_read_noted(&again, "sample", pv_buf_str(&bare), bare.len, &err, &notes, NULL) == 0, "%s%s", pv_buf_str(&err), pv_buf_str(&bare));
	CHECK_STR(pv_buf_str(&notes), "", "notes");
	assert_memory_equal(&again, &p, sizeof(p));
}

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Every message has its place, and ends. */
static void check_messages(const char *text, const char *messages)
{
	for (const char *s = messages; *s;) {
		size_t n = strcspn(s, "\n");
		unsigned line, column;
		char colon;

		CHECK(s[n] == '\n', "unfinished message for: %s", text);
		CHECK(strncmp(s, "configuration: ", 15) == 0 ||
			      (sscanf(s, "c.yaml:%u:%u%c", &line, &column, &colon) == 3 && colon == ':' && line && column),
		      "no position: %.*s", (int) n, s);
		for (size_t i = 0; i < n; i++)
			CHECK((unsigned char) s[i] >= 0x20 && s[i] != 0x7f, "control character in a message");
		s += n + 1;
	}
}

/* 500 mutated configurations: each is an error with a position, or loads into a policy that passes its check. */
static void test_mutated(void **state)
{
	static const char base[] =
		"mode: enforce\nstate_dir: /var/lib/pavise\ncpu: &c {limit: 80%, for: 5m, action: kill}\n"
		"memory:\n  limit: 450MiB\n  action: alert\nnet: {ports: [3333, 4444], action: block, internal: [10.0.0.0/8], allow: []}\n"
		"dns:\n  names: [\"pool.*\", \"*.mine.*\"]\n  allow: [pool.ntp.org]\n"
		"notify: {channels: [{url: \"https://hooks.example.org/x\", min_severity: high}]}\n"
		"login: {limit: 5, paths: [/login]}\nban: {budget: 50/h}\nlogs: {files: [{path: /a, service: b}], ban: [c]}\n"
		"exceptions:\n  - {name: \"shop/*\", signal: cpu, action: ignore}\n";
	static const char spice[] = "{}[]:,&*!|>'\"%#@`-?\n\t \0\xff\xc3\x80~/.0";
	unsigned good = 0;

	(void) state;
	for (int i = 0; i < 500; i++) {
		pv_autobuf err = PV_BUF_INIT;
		char text[sizeof(base) + 64];
		size_t len = sizeof(base) - 1;

		memcpy(text, base, len);
		for (uint64_t n = random_u64() % 6 + (i % 5 != 0); n; n--) {
			size_t at = random_u64() % len, run = random_u64() % 8 + 1;

			switch (random_u64() % 4) {
			case 0:
				text[at] = spice[random_u64() % (sizeof(spice) - 1)];
				break;
			case 1:
				run = PV_MIN(run, len - at - 1);
				memmove(text + at, text + at + run, len - at - run);
				len -= run;
				break;
			case 2:
				run = PV_MIN(run, sizeof(text) - len);
				run = PV_MIN(run, at);
				memmove(text + at + run, text + at, len - at);
				memcpy(text + at, text + at - run, run);
				len += run;
				break;
			default:
				text[at] ^= (char) (1u << random_u64() % 8);
			}
		}
		conf_defaults(&p);
		if (conf_read(&p, "c.yaml", text, len, &err) == 0 && conf_finish(&p, &err) == 0) {
			assert_int_equal(policy_check(&p), 0);
			assert_int_equal(err.len, 0);
			good++;
		} else {
			assert_true(err.len > 0);
			check_messages(text, pv_buf_str(&err));
		}
	}
	CHECK(good > 20 && good < 480, "%u of 500 loaded: the mutations are too weak or too strong", good);
}

static void test_suggest(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned want;
	} cases[] = { { "", "abc", 3 }, { "abc", "abc", 0 }, { "abc", "acb", 1 }, { "status", "statsu", 1 }, { "kitten", "sitting", 3 } };
	struct suggest s = { .word = "stattus" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		CHECK(word_distance(cases[i].a, cases[i].b) == cases[i].want, "%s %s", cases[i].a, cases[i].b);
	suggest_try(&s, "top");
	suggest_try(&s, "status");
	suggest_try(&s, "start");
	CHECK_STR(s.best, "status", "nearest");
}

/* Files: order, links, owners. Runs in a folder of its own. */
static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int try_open(const char *path, struct conf_files *f, struct pv_buf *err)
{
	int r;

	pv_buf_clear(err);
	r = conf_files_open(path, f, err);
	if (r < 0)
		CHECK(err->len > 0, "%s: refused without a word", path);
	return r;
}

static void test_files(void **state)
{
	char dir[] = "/tmp/pv-conf-XXXXXX";
	pv_autobuf err = PV_BUF_INIT;
	struct conf_files f;

	(void) state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), -ENOENT);
	write_file("c.yaml", "mode: observe\n", 0644);
	assert_int_equal(mkdir("conf.d", 0755), 0);
	write_file("conf.d/b.yaml", "", 0644);
	write_file("conf.d/a.yaml", "", 0600);
	write_file("conf.d/.hidden.yaml", "", 0644);
	write_file("conf.d/c.yml", "", 0644);
	assert_int_equal(try_open("c.yaml", &f, &err), 0);
	assert_int_equal(f.n, 3);
	CHECK_STR(f.file[1].name, "conf.d/a.yaml", "by name");
	conf_files_close(&f);
	write_file("pools.yaml", "", 0646);
	assert_int_equal(try_open("c.yaml", &f, &err), 0); /* the guard does without */
	CHECK_STR(f.pools_trouble, "its file can be written by others than its owner; mend with: chmod go-w", "said");
	assert_true(f.pools.fd == 0 && strcmp(f.pools.name, "pools.yaml") == 0);
	conf_files_close(&f);
	assert_int_equal(chmod("pools.yaml", 0644), 0);
	assert_int_equal(symlink("c.yaml", "pools.yaml.minisig"), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), 0);
	assert_true(strncmp(f.pools_trouble, "its signature cannot be opened: ", 32) == 0 && f.pools.fd == 0);
	conf_files_close(&f);
	assert_int_equal(unlink("pools.yaml.minisig"), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), 0);
	assert_true(!*f.pools_trouble && f.pools.fd > 0);
	conf_files_close(&f);
	assert_int_equal(unlink("pools.yaml"), 0);
	assert_int_equal(chmod("conf.d/b.yaml", 0664), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), -EPERM);
	assert_int_equal(chmod("conf.d/b.yaml", 0644), 0);
	assert_int_equal(chmod("conf.d", 0777), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), -EPERM);
	assert_int_equal(chmod("conf.d", 0755), 0);
	assert_int_equal(unlink("conf.d/b.yaml"), 0);
	assert_int_equal(symlink("../c.yaml", "conf.d/b.yaml"), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), -ELOOP);
	assert_int_equal(unlink("conf.d/b.yaml"), 0);
	assert_int_equal(mkfifo("conf.d/b.yaml", 0600), 0);
	assert_int_equal(try_open("c.yaml", &f, &err), -EINVAL);
	assert_int_equal(unlink("conf.d/b.yaml"), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown("c.yaml", 12345, 0), 0);
		assert_int_equal(try_open("c.yaml", &f, &err), -EPERM);
	}
	(void) unlink("conf.d/a.yaml");
	(void) unlink("conf.d/.hidden.yaml");
	(void) unlink("conf.d/c.yml");
	(void) rmdir("conf.d");
	(void) unlink("c.yaml");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_syntax),	      cmocka_unit_test(test_several_and_no_flood),
		cmocka_unit_test(test_good),	      cmocka_unit_test(test_files_in_turn),
		cmocka_unit_test(test_cross_checks),  cmocka_unit_test(test_too_many_labels),
		cmocka_unit_test(test_caps),	      cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mutated),	      cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
