#include "scan/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void scan_notes_init(struct scan_notes *n)
{
	memset(n, 0, sizeof(*n));
	(void) pthread_mutex_init(&n->lock, NULL);
}

static void forget(struct scan_note *x)
{
	free(x->place);
	free(x->text);
}

void scan_notes_done(struct scan_notes *n)
{
	for (size_t i = 0; i < n->n; i++)
		forget(&n->note[i]);
	(void) pthread_mutex_destroy(&n->lock);
	n->n = 0;
}

/* Where the next one goes. When all are taken, what could not be checked takes the place of what is only said. NULL: nowhere. */
static struct scan_note *room(struct scan_notes *n, enum finding_reason reason)
{
	if (n->n < SCAN_NOTES_MAX)
		return &n->note[n->n++];
	for (size_t i = 0; i < n->n && reason != REASON_NONE; i++)
		if (n->note[i].reason == REASON_NONE) {
			n->dropped += n->note[i].count;
			forget(&n->note[i]);
			return &n->note[i];
		}
	return NULL;
}

static void add(struct scan_notes *n, enum finding_reason reason, const char *place, const char *text)
{
	struct scan_note new = { .reason = reason, .count = 1 }, *at;

	for (size_t i = 0; i < n->n; i++)
		if (n->note[i].reason == reason && strcmp(n->note[i].place, place) == 0 &&
		    strcmp(n->note[i].text, text) == 0) {
			n->note[i].count++;
			return;
		}
	new.place = strdup(place);
	new.text = strdup(text);
	at = new.place && new.text ? room(n, reason) : NULL;
	if (at) {
		*at = new;
		return;
	}
	forget(&new);
	n->dropped++;
}

void scan_note(struct scan_notes *n, enum finding_reason reason, const char *place, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void) pthread_mutex_lock(&n->lock);
	add(n, reason, place ? place : "", text);
	(void) pthread_mutex_unlock(&n->lock);
}
