#include "cmd/audit_guarded.h"

bool guarded_kind(const struct audit_step *s)
{
	return s->kind == STEP_SSHD || s->kind == STEP_FIREWALL;
}

void guarded_words(struct pv_buf *out, const struct audit_step *s)
{
	(void) s;
	pv_buf_puts(out, "?");
}

int guarded_prepare(const struct audit_step *s)
{
	(void) s;
	return -EOPNOTSUPP;
}

int guarded_apply(struct start *s, struct record_line *line)
{
	(void) s;
	(void) line;
	return -EOPNOTSUPP;
}

int guarded_undo(const struct audit_step *s)
{
	(void) s;
	return -EOPNOTSUPP;
}
