#include "sense/journal.h"

#include <string.h>
#include <systemd/sd-journal.h>

#include "base/text.h"

struct journal {
	sd_journal *sd; /* NULL: no files */
	char *cursor;	/* of the last record that is done */
	bool again;	/* the present record was not taken: without another step */
};

int journal_new(struct journal **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct journal *journal_free(struct journal *j)
{
	if (!j)
		return NULL;
	sd_journal_close(j->sd);
	free(j->cursor);
	free(j);
	return NULL;
}

const char *journal_cursor(const struct journal *j)
{
	return j->cursor;
}

static int keep_cursor(struct journal *j)
{
	char *cursor;
	int r = sd_journal_get_cursor(j->sd, &cursor);

	if (r < 0)
		return r;
	free(j->cursor);
	j->cursor = cursor;
	return 0;
}

/* The next step gives the first record that was not done. */
static int seek(struct journal *j)
{
	int r;

	if (!j->cursor) {
		r = sd_journal_seek_tail(j->sd);
		if (r >= 0)
			r = sd_journal_previous(j->sd);
		return r > 0 ? keep_cursor(j) : r;
	}
	r = sd_journal_seek_cursor(j->sd, j->cursor);
	if (r >= 0)
		r = sd_journal_next(j->sd);
	if (r <= 0)
		return r;
	/* That record is gone (vacuumed): this one is the first that is left after it. */
	j->again = sd_journal_test_cursor(j->sd, j->cursor) == 0;
	return 0;
}

int journal_files(struct journal *j, const int *fds, size_t n, const char *cursor)
{
	sd_journal *sd = NULL;
	int r;

	sd_journal_close(j->sd);
	j->sd = NULL;
	j->again = false;
	r = n ? sd_journal_open_files_fd(&sd, (int *) (uintptr_t) fds, (unsigned) n, 0) : -ENOENT;
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			(void) pv_close(fds[i]);
		return r;
	}
	j->sd = sd; /* the descriptors are its own now */
	if (!j->cursor && cursor && *cursor) {
		j->cursor = strdup(cursor);
		if (!j->cursor)
			return -ENOMEM;
	}
	return seek(j);
}

/* The value of a field, cut and terminated; "" where it is absent. */
static void field(sd_journal *sd, const char *name, char *out, size_t size)
{
	size_t len, skip = strlen(name) + 1;
	const void *data;

	out[0] = '\0';
	if (sd_journal_get_data(sd, name, &data, &len) < 0 || len < skip)
		return;
	len = PV_MIN(len - skip, size - 1);
	memcpy(out, (const char *) data + skip, len);
	out[len] = '\0';
}

static bool number(sd_journal *sd, const char *name, uint32_t *ret)
{
	char text[16];

	field(sd, name, text, sizeof(text));
	return parse_u32(text, ret) == 0;
}

static int read_record(sd_journal *sd, struct journal_record *r)
{
	const size_t skip = strlen("MESSAGE=");
	char text[8];
	const void *data;
	int err;

	if (sd_journal_get_realtime_usec(sd, &r->time_us) < 0)
		r->time_us = 0;
	field(sd, "_SYSTEMD_UNIT", r->unit, sizeof(r->unit));
	if (!r->unit[0])
		field(sd, "_SYSTEMD_SLICE", r->unit, sizeof(r->unit));
	field(sd, "_TRANSPORT", r->transport, sizeof(r->transport));
	field(sd, "_SYSTEMD_CGROUP", r->cgroup, sizeof(r->cgroup));
	field(sd, "SYSLOG_IDENTIFIER", r->identifier, sizeof(r->identifier));
	field(sd, "CONTAINER_ID_FULL", r->container, sizeof(r->container));
	r->partial = r->error = false;
	r->ordinal = 0;
	if (r->container[0]) {
		field(sd, "CONTAINER_PARTIAL_MESSAGE", text, sizeof(text));
		r->partial = strcmp(text, "true") == 0;
		(void) number(sd, "CONTAINER_PARTIAL_ORDINAL", &r->ordinal);
		field(sd, "PRIORITY", text, sizeof(text));
		r->error = strcmp(text, "3") == 0;
	}
	r->uid = r->pid = 0;
	r->has_uid = number(sd, "_UID", &r->uid);
	(void) number(sd, "_PID", &r->pid);
	/* Last: its bytes hold only until the next field is read. */
	err = sd_journal_get_data(sd, "MESSAGE", &data, &r->len);
	if (err < 0 || r->len < skip)
		return err < 0 ? err : -EBADMSG;
	r->message = (const char *) data + skip;
	r->len -= skip;
	return 0;
}

int journal_turn(struct journal *j, size_t max, int (*fn)(const struct journal_record *r, void *arg), void *arg)
{
	struct journal_record record;
	size_t n;
	int r = 0, kept;

	if (!j->sd)
		return 0;
	for (n = 0; n < max; n++) {
		r = j->again ? 1 : sd_journal_next(j->sd);
		j->again = false;
		if (r <= 0)
			break;
		r = read_record(j->sd, &record); /* one that cannot be read (no message, damaged) is passed over */
		if (r == 0 && (r = fn(&record, arg)) != 0) {
			j->again = true;
			return r;
		}
	}
	/* After the end it still stands at the last one. */
	kept = n ? keep_cursor(j) : 0;
	return kept < 0 ? kept : r < 0 ? r : n == max;
}
