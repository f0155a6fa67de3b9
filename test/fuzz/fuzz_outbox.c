/* Datagrams between engine and sender. A row that is taken can be printed into a header, a journal message and a syslog
 * line without becoming more than it is. */
#include <assert.h>
#include <string.h>

#include "notify/channel.h"
#include "notify/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *s)
{
	assert(*s && !strpbrk(s, "\r\n:= "));
}

/* Reads the journal's message back as journald does: exactly our seven fields, in our order. */
static void check_journal(const struct pv_buf *b)
{
	static const char *const names[] = { "MESSAGE",	  "PRIORITY",	    "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY",
					     "PAVISE_ID", "PAVISE_SUBJECT", "PAVISE_NOTICE" };
	const char *at = b->data, *end = b->data + b->len;

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		size_t name = strlen(names[i]), len = 0;

		assert((size_t) (end - at) > name && memcmp(at, names[i], name) == 0);
		at += name;
		if (*at == '=') {
			const char *line_end = memchr(at, '\n', (size_t) (end - at));

			assert(line_end);
			at = line_end + 1;
			continue;
		}
		assert(*at == '\n' && end - at > 9);
		for (int k = 7; k >= 0; k--)
			len = len << 8 | (uint8_t) at[1 + k];
		assert(len < (size_t) (end - at - 9) && at[9 + len] == '\n');
		at += 9 + len + 1;
	}
	assert(at == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outbox_row row;
	struct outbox_answer answer;

	if (outbox_row_parse(data, size, &row) == 0) {
		pv_autobuf journal = PV_BUF_INIT, syslog = PV_BUF_INIT;

		assert(row.len <= OUTBOX_TEXT && strlen(row.text) == row.len && row.severity < SEV_N);
		assert(outbox_row_size(&row) == size);
		check_word(row.id);
		check_word(row.unique);
		assert(memchr(row.subject, 0, sizeof(row.subject)));
		journal_format(&journal, &row);
		check_journal(&journal);
		syslog_format(&syslog, &row, 0);
		assert(!strpbrk(pv_buf_str(&syslog), "\r\n"));
	}
	if (outbox_answer_parse(data, size, &answer) == 0) {
		assert(answer.result <= 0);
		assert(memchr(answer.error, 0, sizeof(answer.error)));
	}
	return 0;
}
