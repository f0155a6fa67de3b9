#include "scan/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void scan_notes_init(struct scan_notes *n)
{
	memset(n, 0, sizeof(*n));
	(void) pthread_mutex_init(&n->lock, NULL);
}

void scan_notes_done(struct scan_notes *n)
{
	for (size_t i = 0; i < n->n; i++) {
		free(n->note[i].place);
		free(n->note[i].text);
	}
	(void) pthread_mutex_destroy(&n->lock);
	n->n = 0;
}

static void add(struct scan_notes *n, enum finding_reason reason, const char *place, const char *text)
{
	struct scan_note *new = &n->note[n->n];

	for (size_t i = 0; i < n->n; i++)
		if (n->note[i].reason == reason && strcmp(n->note[i].place, place) == 0 &&
		    strcmp(n->note[i].text, text) == 0) {
			n->note[i].count++;
			return;
		}
	if (n->n == SCAN_NOTES_MAX) {
		n->dropped++;
		return;
	}
	*new = (struct scan_note){ .reason = reason, .place = strdup(place), .text = strdup(text), .count = 1 };
	if (new->place && new->text) {
		n->n++;
		return;
	}
	free(new->place);
	free(new->text);
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
