#include <cjson/cJSON.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#include "cmd/cmd.h"

#define REDRAW_MS 2000
#define NAME_MIN  12
#define NAME_MAX_ 40

struct row {
	const char *name;
	uint64_t cpu, memory, limit, processes, refused;
	bool measured; /* not yet, or the kernel does not tell */
};

static int by_cpu(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? 1 : -1;
	if (x->memory != y->memory)
		return x->memory < y->memory ? 1 : -1;
	return strcmp(x->name, y->name);
}

static size_t read_rows(const cJSON *list, struct row **ret)
{
	size_t n = 0, room = (size_t) cJSON_GetArraySize(list);
	struct row *rows = calloc(room ? room : 1, sizeof(*rows));
	const cJSON *w;

	if (!rows)
		return 0;
	cJSON_ArrayForEach(w, list)
		rows[n++] = (struct row){ .name = json_text(w, "name"), .cpu = json_u64(w, "cpu"),
					  .memory = json_u64(w, "memory"), .limit = json_u64(w, "memory_limit"),
					  .processes = json_u64(w, "processes"), .refused = json_u64(w, "refused"),
					  .measured = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(w, "memory")) };
	qsort(rows, n, sizeof(*rows), by_cpu);
	*ret = rows;
	return n;
}

/* Columns a text takes on the terminal: bytes that go on a UTF-8 character take none. */
static size_t columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char) *s & 0xc0) != 0x80;
	return n;
}

static void cell(struct pv_buf *out, const char *text, size_t width, bool right)
{
	size_t n = columns(text), pad = n < width ? width - n : 0;

	if (right)
		pv_buf_printf(out, "%*s", (int) pad, "");
	if (n <= width) {
		pv_buf_puts(out, text);
	} else {
		const char *s = text;

		for (n = 0; *s && n < width; s++)
			n += ((unsigned char) s[1] & 0xc0) != 0x80;
		pv_buf_add(out, text, (size_t) (s - text));
	}
	if (!right)
		pv_buf_printf(out, "%*s", (int) pad, "");
}

static void draw_row(struct pv_buf *out, const struct row *r, size_t name_width, unsigned bar, const struct words_style *style)
{
	pv_autobuf text = PV_BUF_INIT;
	bool hot = r->cpu > 8000 || (r->limit && r->memory / 100 * 100 > r->limit / 100 * 88);

	pv_buf_puts(out, hot ? words_colour(SEV_HIGH, style) : "");
	pv_buf_safe(&text, r->name, 0);
	cell(out, pv_buf_str(&text), name_width, false);
	pv_buf_puts(out, "  ");
	pv_buf_clear(&text);
	words_percent(&text, r->cpu);
	cell(out, pv_buf_str(&text), 8, true);
	if (bar) {
		pv_buf_putc(out, ' ');
		words_bar(out, r->cpu, 10000, bar);
	}
	pv_buf_puts(out, "  ");
	pv_buf_clear(&text);
	if (r->measured)
		words_bytes(&text, r->memory);
	else
		pv_buf_putc(&text, '-');
	cell(out, pv_buf_str(&text), 9, true);
	pv_buf_puts(out, " / ");
	pv_buf_clear(&text);
	if (r->limit)
		words_bytes(&text, r->limit);
	else
		pv_buf_putc(&text, '-');
	cell(out, pv_buf_str(&text), 9, true);
	if (bar) {
		pv_buf_putc(out, ' ');
		words_bar(out, r->memory, r->limit, bar);
	}
	pv_buf_printf(out, "  %5" PRIu64 "  %7" PRIu64 "%s", r->processes, r->refused, hot ? words_plain(style) : "");
}

/* `rows_max` 0: all of them. Lines end with `eol`, which on a terminal also clears what stood there before. */
static void draw(struct pv_buf *out, const cJSON *list, const struct words_style *style, size_t rows_max, const char *eol)
{
	pv_autofree struct row *rows = NULL;
	size_t n = read_rows(list, &rows), name_width = NAME_MIN, shown = rows_max ? PV_MIN(n, rows_max) : n;
	unsigned bar = style->width >= 110 ? 16 : style->width >= 90 ? 8 : 0;
	size_t fixed = 2 + 8 + 2 + 9 + 3 + 9 + 2 + 5 + 2 + 7 + (bar ? 2 * (bar + 1) : 0);

	for (size_t i = 0; i < shown; i++)
		name_width = PV_MAX(name_width, PV_MIN(strlen(rows[i].name), (size_t) NAME_MAX_));
	if (style->width > fixed + NAME_MIN)
		name_width = PV_MIN(name_width, style->width - fixed);
	else if (style->width)
		name_width = NAME_MIN;
	pv_buf_printf(out, "%-*s  %8s%*s  %9s / %9s%*s  %5s  %7s%s", (int) name_width, "WORKLOAD", "CPU",
		      (int) (bar ? bar + 1 : 0), "", "MEMORY", "LIMIT", (int) (bar ? bar + 1 : 0), "", "PROCS", "REFUSED", eol);
	for (size_t i = 0; i < shown; i++) {
		draw_row(out, &rows[i], name_width, bar, style);
		pv_buf_puts(out, eol);
	}
	if (shown < n)
		pv_buf_printf(out, "and %zu more%s", n - shown, eol);
	if (n == 0)
		pv_buf_printf(out, "no workloads yet%s", eol);
}

static struct termios saved;
static bool raw;

static void screen_restore(void)
{
	static const char back[] = "\033[?25h\033[?1049l";

	if (!raw)
		return;
	raw = false;
	(void) !write(STDOUT_FILENO, back, sizeof(back) - 1);
	(void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
}

static int screen_take(void)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return -errno;
	t = saved;
	t.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	raw = true;
	(void) atexit(screen_restore);
	(void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
	return !write(STDOUT_FILENO, "\033[?1049h\033[?25l", 14) ? -EIO : 0;
}

/* Waits for the time, a key or a signal. 1: end; 0: draw again. */
static int wait_for_more(int signals)
{
	struct pollfd p[] = { { .fd = signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct signalfd_siginfo si;
	char key = 0;

	if (poll(p, N_ELEMENTS(p), REDRAW_MS) <= 0)
		return 0;
	if (p[0].revents && read(signals, &si, sizeof(si)) == sizeof(si))
		return si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCONT;
	if (p[1].revents)
		return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q' || key == 3;
	return 0;
}

static int frame(struct ask *a, struct cmd *c, bool live)
{
	struct words_style style = cmd_style(c);
	struct winsize w = { .ws_row = 25 };
	pv_autobuf out = PV_BUF_INIT;
	cJSON *answer = NULL;
	int r = ask(a, "{\"verb\":\"top\"}", NULL, NULL, &answer);

	if (r < 0)
		return r;
	if (live) {
		(void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
		pv_buf_puts(&out, "\033[H");
	}
	draw(&out, cJSON_GetObjectItemCaseSensitive(answer, "workloads"), &style,
	     live ? (size_t) (w.ws_row > 5 ? w.ws_row - 4 : 1) : 0, live ? "\033[K\r\n" : "\n");
	if (live)
		pv_buf_puts(&out, "\033[K\r\nq ends; history: pavise events\033[K\033[J");
	cJSON_Delete(answer);
	return cmd_write(&out) == CMD_OK ? 0 : -EIO;
}

static int live_table(struct ask *a, struct cmd *c)
{
	sigset_t set;
	pv_autoclose int signals = -1;
	int r = 0;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGINT);
	(void) sigaddset(&set, SIGTERM);
	(void) sigaddset(&set, SIGHUP);
	(void) sigaddset(&set, SIGWINCH);
	(void) sigaddset(&set, SIGCONT);
	(void) sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || screen_take() < 0)
		return -EIO;
	do {
		r = frame(a, c, true);
	} while (r == 0 && !wait_for_more(signals));
	screen_restore();
	return r;
}

int cmd_top(struct cmd *c)
{
	pv_auto(ask) a = NULL;
	int r = ask_guard(c, &a);

	if (r != CMD_OK)
		return r;
	ask_confine();
	if (isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
		r = live_table(a, c);
	else
		r = frame(a, c, false);
	return r < 0 ? CMD_INCOMPLETE : CMD_OK;
}
