/* pvhistory RULES DIR [whole] - what a scan of the history finds, a line each: rule, masked form, path, line, first commit, versions,
 * whether HEAD has it. With `whole` every version of a file is looked at from its first byte to its last; else, as `pavise scan` does,
 * only what changed in it. */
#include <stdio.h>
#include <string.h>

#include "scan/history.h"

static int tell(const struct history_found *f, void *user)
{
	const struct look_secret *s = look_secret(user, f->secret);

	printf("%s\t%s\t%s\t%s\t%u\t", look_rule_id(s), s->masked, s->encoding, f->path ? f->path : "", f->line);
	for (unsigned i = 0; f->commit && i < 20; i++)
		printf("%02x", f->commit[i]);
	printf("\t%u\t%d\n", f->versions, f->in_head);
	return 0;
}

int main(int argc, char **argv)
{
	const char *paths[] = { argc > 2 ? argv[1] : "" };
	const struct match_where where = { .paths = paths, .n_paths = 1 };
	struct history_options o = { .threads = 2, .whole = argc > 3 && strcmp(argv[3], "whole") == 0 };
	struct history_count count;
	struct scan_notes notes;
	pv_auto(match_set) set = NULL;
	pv_auto(gitdir) g = NULL;
	pv_auto(objects) s = NULL;
	pv_auto(look) look = NULL;
	pv_autobuf err = PV_BUF_INIT;

	scan_notes_init(&notes);
	if (argc < 3 || match_set_open(&where, &set, &err) < 0 || gitdir_find(argv[2], &g) < 0 || objects_open(g, &notes, &s) < 0 ||
	    look_new(set, NULL, &notes, o.threads, &look) < 0 || history_scan(s, g, look, &o, tell, look, &count) < 0) {
		fprintf(stderr, "pvhistory: %s\n", pv_buf_str(&err));
		return 1;
	}
	fprintf(stderr, "%llu blobs, %llu bytes, %llu looked at\n", (unsigned long long) count.blobs, (unsigned long long) count.bytes,
		(unsigned long long) look_bytes(look));
	scan_notes_done(&notes);
	return 0;
}
