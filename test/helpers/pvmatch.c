/* pvmatch - what test/system/test_secret_*.py drive: rules over texts, without a scanner around them.
 *
 *   pvmatch [-c CACHE] [-d DEPTH] RULES...            reads frames from standard input
 *   pvmatch [-c CACHE] [-d DEPTH] -f RULES... < LIST  reads the names of files, one a line
 *
 * A frame is its length in decimal, a line feed and so many bytes. For each text, one line a hit:
 * rule, severity, generic (0 or 1), start, length, depth, check; then an empty line. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "match/set.h"

static int tell(const struct match_hit *h, void *user)
{
	(void) user;
	printf("%s\t%s\t%d\t%zu\t%zu\t%u\t%d\n", h->rule->id, severity_name(h->severity), h->rule->generic, h->secret.start,
	       h->secret.len, h->depth, h->checked);
	return 0;
}

static int scan(const struct match_set *set, struct match_scratch *s, const char *text, size_t len, unsigned depth)
{
	const struct match_deep how = { .max_depth = depth };
	int r = match_scan_deep(set, s, text, len, &how, tell, NULL, NULL);

	putchar('\n');
	return r;
}

static int scan_frames(const struct match_set *set, struct match_scratch *s, unsigned depth)
{
	unsigned long len;
	char line[32];

	while (fgets(line, sizeof(line), stdin)) {
		char *text;
		int r;

		len = strtoul(line, NULL, 10);
		text = malloc(len + 1);
		if (!text || len > 1u << 30 || fread(text, 1, len, stdin) != len) {
			free(text);
			return -EINVAL;
		}
		r = scan(set, s, text, len, depth);
		free(text);
		if (r)
			return r;
	}
	return 0;
}

static int scan_file(const struct match_set *set, struct match_scratch *s, const char *path, unsigned depth)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return scan(set, s, "", 0, depth);
	map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r = scan(set, s, map, (size_t) st.st_size, depth);
	(void) munmap(map, (size_t) st.st_size);
	return r;
}

static int scan_files(const struct match_set *set, struct match_scratch *s, unsigned depth)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		int r;

		line[strcspn(line, "\n")] = '\0';
		r = scan_file(set, s, line, depth);
		if (r)
			return r;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct match_where where = { 0 };
	pv_auto(match_set) set = NULL;
	pv_auto(match_scratch) s = NULL;
	pv_autobuf err = PV_BUF_INIT;
	bool files = false;
	unsigned depth = 0;
	int c, r;

	while ((c = getopt(argc, argv, "c:d:f")) != -1)
		switch (c) {
		case 'c':
			where.cache_dir = optarg;
			break;
		case 'd':
			depth = (unsigned) strtoul(optarg, NULL, 10);
			break;
		case 'f':
			files = true;
			break;
		default:
			return 2;
		}
	where.paths = (const char *const *) argv + optind;
	where.n_paths = (size_t) (argc - optind);
	r = match_set_open(&where, &set, &err);
	if (r == 0)
		r = match_scratch_new(set, &s);
	if (r == 0)
		r = files ? scan_files(set, s, depth) : scan_frames(set, s, depth);
	if (r)
		fprintf(stderr, "%spvmatch: %s\n", pv_buf_str(&err), strerror(-r));
	return r != 0;
}
