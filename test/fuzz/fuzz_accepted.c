/* What a person leaves behind for the next run, by the first byte: pavise.ignore accepts nothing that could not be checked, and
 * an entry either counts or is told; a baseline makes nothing old but what fails; the list of the last run makes nothing mended
 * that is unknown. What cannot be read is an error with its place. */
#include <assert.h>
#include <string.h>

#include "check/last.h"
#include "model/ignore.h"
#include "report/baseline.h"

#define NOW_US (1767225600ull * 1000000) /* 2026-01-01 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The library itself forgets a buffer at some unfinished quotes (0.7.12). The policy child reads once and ends, so this is
 * no matter of ours; leaks of our own code are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

static void add(struct finding_list *l, enum id id, enum finding_verdict v, const char *name)
{
	struct finding *f = finding_new(id, v);

	finding_subject(f, SUBJECT_CONTAINER, name, NULL, 0);
	finding_fingerprint(f, NULL, NULL);
	assert(finding_list_add(l, f) == 0);
}

static void ignore(const char *text, size_t len, struct finding_list *l)
{
	struct ignore_list *list = NULL;
	pv_autobuf err = PV_BUF_INIT;
	size_t n = l->n, failing = 0;

	if (ignore_read("x", text, len, NOW_US, &list, &err) < 0) {
		assert(err.len > 6 && strncmp(err.data, "x:", 2) == 0 && err.data[err.len - 1] == '\n');
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bool spared = ignore_covers(list, l->item[i], NULL);

		assert(!spared || l->item[i]->verdict == FINDING_FAIL);
		if (spared)
			assert(*l->item[i]->accepted.reason && *l->item[i]->accepted.owner && strlen(l->item[i]->accepted.until) == 10);
		failing += finding_fails(l->item[i]);
	}
	assert(ignore_report(list, NULL, l) == 0);
	for (size_t i = n; i < l->n; i++)
		assert((l->item[i]->id == ID_IGNORE_INVALID || l->item[i]->id == ID_IGNORE_UNUSED) && l->item[i]->subject.line);
	assert(finding_list_status(l, SEV_CRITICAL) == (failing ? 1 : 3));
	(void) ignore_list_free(list);
}

static void baseline(const char *text, size_t len, struct finding_list *l)
{
	struct baseline *b = NULL;
	pv_autobuf err = PV_BUF_INIT;

	if (baseline_read(text, len, &b, &err) < 0) {
		assert(strncmp(pv_buf_str(&err), "line ", 5) == 0);
		return;
	}
	(void) baseline_apply(b, l);
	for (size_t i = 0; i < l->n; i++)
		assert(!l->item[i]->old || l->item[i]->verdict == FINDING_FAIL);
	(void) baseline_free(b);
}

static void last(const char *text, size_t len, struct finding_list *l)
{
	pv_autofree char *old = strndup(text, len);
	pv_autobuf next = PV_BUF_INIT;
	struct last_diff d, again;
	struct check_select all;
	char word[64];

	assert(old && check_select(&all, NULL, NULL, word, sizeof(word)) == 0);
	last_compare(l, &all, old, NOW_US, &d);
	assert(strncmp(pv_buf_str(&d.mended_names), "ctr.seccomp ", 12) != 0); /* it could not be checked, nowhere */
	for (const char *p = pv_buf_str(&d.mended_names); *p; p++)
		assert((unsigned char) *p >= ' ' && *p != 0x7f);
	last_write(&next, l, &d, NOW_US);
	for (size_t i = 0; i < l->n; i++)
		l->item[i]->first_seen_us = 0;
	last_compare(l, &all, pv_buf_str(&next), NOW_US + 1, &again);
	assert(again.when_us == NOW_US && again.fresh == 0 && again.mended == 0); /* what was written is read */
	last_diff_done(&d);
	last_diff_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const char *text, size_t len, struct finding_list *l) = { ignore, baseline, last };
	struct finding_list l = { .n = 0 };

	if (!size)
		return 0;
	add(&l, ID_CTR_PRIVILEGED, FINDING_FAIL, "shop/web");
	add(&l, ID_CTR_PRIVILEGED, FINDING_PASS, "shop/db");
	add(&l, ID_CTR_SECCOMP, FINDING_UNKNOWN, "Docker");
	add(&l, ID_CTR_DOCKER_SOCKET, FINDING_UNKNOWN, "shop/web");
	l.item[2]->reason = l.item[3]->reason = REASON_TIMEOUT;
	readers[data[0] % N_ELEMENTS(readers)]((const char *) data + 1, size - 1, &l);
	finding_list_done(&l);
	return 0;
}
