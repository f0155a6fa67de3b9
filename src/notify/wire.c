#include "notify/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t outbox_row_size(const struct outbox_row *row)
{
	return offsetof(struct outbox_row, text) + row->len;
}

static bool is_word(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') ||
		      s[i] == '.' || s[i] == '-'))
			return false;
	return len && len < size;
}

static bool is_ended(const char *s, size_t size)
{
	return strnlen(s, size) < size;
}

int outbox_row_parse(const void *data, size_t len, struct outbox_row *ret)
{
	const size_t head = offsetof(struct outbox_row, text);
	struct outbox_row row;

	if (len < head || len - head > OUTBOX_TEXT)
		return -EBADMSG;
	memcpy(&row, data, len);
	if (row.len != len - head || row.severity >= SEV_N)
		return -EBADMSG;
	row.text[row.len] = '\0';
	if (strlen(row.text) != row.len || !is_word(row.id, sizeof(row.id)) || !is_word(row.unique, sizeof(row.unique)) ||
	    !is_ended(row.subject, sizeof(row.subject)))
		return -EBADMSG;
	memcpy(ret, &row, head + row.len + 1);
	return 0;
}

int outbox_answer_parse(const void *data, size_t len, struct outbox_answer *ret)
{
	struct outbox_answer answer;

	if (len != sizeof(answer))
		return -EBADMSG;
	memcpy(&answer, data, sizeof(answer));
	if (answer.result > 0 || !is_ended(answer.error, sizeof(answer.error)))
		return -EBADMSG;
	*ret = answer;
	return 0;
}

void outbox_answer_set(struct outbox_answer *a, int result, const char *fmt, ...)
{
	va_list ap;

	a->result = result;
	va_start(ap, fmt);
	(void) vsnprintf(a->error, sizeof(a->error), fmt, ap);
	va_end(ap);
}
