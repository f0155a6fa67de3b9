#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cmd/cmd.h"

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void) fputc('\n', stderr);
}

void cmd_fail(const char *what, const char *next_fmt, ...)
{
	va_list ap;

	(void) fprintf(stderr, "pavise: %s\n", what);
	if (!next_fmt)
		return;
	(void) fputs("  next: ", stderr);
	va_start(ap, next_fmt);
	(void) vfprintf(stderr, next_fmt, ap);
	va_end(ap);
	(void) fputc('\n', stderr);
}

int cmd_write(const struct pv_buf *out)
{
	const char *s = pv_buf_str(out);

	for (size_t at = 0; at < out->len;) {
		ssize_t n = write(STDOUT_FILENO, s + at, out->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			cmd_fail("cannot write the result", NULL);
			return CMD_INCOMPLETE;
		}
		at += (size_t) n;
	}
	return CMD_OK;
}

int cmd_output_to(const char *path)
{
	pv_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) {
		int r = -errno;
		pv_autobuf what = PV_BUF_INIT;

		pv_buf_puts(&what, "cannot write to ");
		pv_buf_safe(&what, path, 0);
		pv_buf_printf(&what, ": %s", strerror(-r));
		cmd_fail(pv_buf_str(&what), NULL);
		return r;
	}
	return 0;
}

struct words_style cmd_style(const struct cmd *c)
{
	struct words_style style = { .colour = c->colour };
	struct winsize w;

	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0)
		style.width = w.ws_col;
	return style;
}

void cmd_by_root(const struct cmd *c, struct pv_buf *out)
{
	const struct cmd_option *o = c->command->options;
	bool dashed = false;

	pv_buf_printf(out, "sudo pavise %s", c->command->name);
	if (c->config) {
		pv_buf_puts(out, " --config ");
		words_shell(out, c->config);
	}
	for (size_t i = 0; o && o[i].name; i++) {
		if (!c->value[i])
			continue;
		pv_buf_printf(out, " --%s%s", o[i].name, o[i].arg ? " " : "");
		if (o[i].arg)
			words_shell(out, c->value[i]);
	}
	for (size_t i = 0; i < c->n_words; i++) {
		if (c->word[i][0] == '-' && !dashed)
			pv_buf_puts(out, " --");
		dashed |= c->word[i][0] == '-';
		pv_buf_putc(out, ' ');
		words_shell(out, c->word[i]);
	}
}
