/* match_bench - how fast a set of rules goes over files, one core, warm cache.
 *
 *   match_bench [-c CACHE] [-d DEPTH] [-r ROUNDS] [-v] RULES... < LIST-OF-FILES
 *
 * Reads every file into memory first. Prints the time to open the set and, of the best round, seconds of processor time,
 * MB/s and hits; with -v the hits of each rule. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "match/set.h"

struct file {
	char *text;
	size_t len;
};

struct count {
	uint64_t hits, by_rule[RULE_MAX];
};

static double now(clockid_t clock)
{
	struct timespec t;

	(void) clock_gettime(clock, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int tell(const struct match_hit *h, void *user)
{
	struct count *c = user;

	c->hits++;
	c->by_rule[h->index]++;
	return 0;
}

static bool load(const char *path, struct file *f)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return false;
	f->text = malloc((size_t) st.st_size);
	f->len = (size_t) st.st_size;
	return f->text && read(fd, f->text, f->len) == st.st_size;
}

static size_t load_all(struct file *files, size_t room)
{
	char line[4096];
	size_t n = 0;

	while (n < room && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		n += load(line, &files[n]);
	}
	return n;
}

int main(int argc, char **argv)
{
	static struct file files[200000];
	static struct count count;
	struct match_where where = { 0 };
	struct match_deep how = { 0 };
	pv_auto(match_set) set = NULL;
	pv_auto(match_scratch) s = NULL;
	pv_autobuf err = PV_BUF_INIT;
	double opened, best = 1e9, bytes = 0;
	int c, rounds = 3, verbose = 0;
	size_t n;

	while ((c = getopt(argc, argv, "c:d:r:v")) != -1)
		switch (c) {
		case 'c':
			where.cache_dir = optarg;
			break;
		case 'd':
			how.max_depth = (unsigned) strtoul(optarg, NULL, 10);
			break;
		case 'r':
			rounds = (int) strtol(optarg, NULL, 10);
			break;
		default:
			verbose = 1;
		}
	where.paths = (const char *const *) argv + optind;
	where.n_paths = (size_t) (argc - optind);
	opened = now(CLOCK_MONOTONIC);
	if (match_set_open(&where, &set, &err) < 0 || match_scratch_new(set, &s) < 0) {
		fprintf(stderr, "%s", pv_buf_str(&err));
		return 1;
	}
	opened = now(CLOCK_MONOTONIC) - opened;
	n = load_all(files, N_ELEMENTS(files));
	for (size_t i = 0; i < n; i++)
		bytes += (double) files[i].len;
	for (int r = 0; r < rounds; r++) {
		double start = now(CLOCK_PROCESS_CPUTIME_ID);

		memset(&count, 0, sizeof(count));
		for (size_t i = 0; i < n; i++)
			if (match_scan_deep(set, s, files[i].text, files[i].len, &how, tell, &count, NULL) < 0)
				return 1;
		best = PV_MIN(best, now(CLOCK_PROCESS_CPUTIME_ID) - start);
	}
	printf("%zu rules, opened in %.2f ms (%s); %zu files, %.1f MB: %.3f s, %.0f MB/s, %llu hits, %llu given up\n",
	       rules_count(match_set_rules(set)), opened * 1e3, match_set_was_cached(set) ? "cache" : "compiled", n, bytes / 1e6,
	       best, bytes / 1e6 / best, (unsigned long long) count.hits, (unsigned long long) match_scratch_gave_up(s));
	for (size_t i = 0; verbose && i < rules_count(match_set_rules(set)); i++)
		if (count.by_rule[i])
			printf("%8llu %s\n", (unsigned long long) count.by_rule[i], rules_get(match_set_rules(set), i)->id);
	return 0;
}
