/* A compiled set as a file: head, rules (flat.c), near gates, far gates, both. A serialised database is code in all but name, so
 * a file that somebody else could have written is never given to libhs. */
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "match/engine.h"
#include "match/rules.h"

#define CACHE_MAGIC   "pvmatch"
#define CACHE_VERSION 4u
#define CACHE_MAX     (256u << 20)
#define NAME_SIZE     64
#define OLD_SECONDS   (14 * 86400)

struct cache_head {
	char magic[8];
	uint32_t version, head_size;
	unsigned char digest[32]; /* of all that decides what is compiled, the library and the processor among it */
	unsigned char sum[32];	  /* of all that follows the head */
	uint64_t size;		  /* of all that follows the head */
};

struct part_head {
	uint64_t rules, near, far, all; /* sizes; all but the first may be 0 */
};

static int add_database(struct pv_buf *out, const hs_database_t *db, uint64_t *ret_size)
{
	char *bytes = NULL;
	size_t len = 0;

	*ret_size = 0;
	if (!db)
		return 0;
	if (hs_serialize_database(db, &bytes, &len) != HS_SUCCESS)
		return -ENOMEM;
	pv_buf_add(out, bytes, len);
	free(bytes);
	*ret_size = len;
	return 0;
}

int cache_pack(const struct rules *rs, const struct gates *gates, struct pv_buf *out)
{
	struct part_head parts = { 0 };
	size_t before = out->len;
	int r;

	pv_buf_add(out, &parts, sizeof(parts));
	rules_write(rs, out);
	parts.rules = out->len - before - sizeof(parts);
	r = add_database(out, gates->near, &parts.near);
	if (r == 0)
		r = add_database(out, gates->far, &parts.far);
	if (r == 0)
		r = add_database(out, gates->all, &parts.all);
	if (r < 0 || out->cut)
		return -ENOMEM;
	memcpy(out->data + before, &parts, sizeof(parts));
	return 0;
}

static int load_database(const char *bytes, uint64_t len, hs_database_t **ret)
{
	if (!len)
		return 0;
	return hs_deserialize_database(bytes, len, ret) == HS_SUCCESS ? 0 : -EBADMSG;
}

int cache_unpack(void *map, size_t map_len, size_t offset, struct match_set **ret)
{
	const char *at = (const char *) map + offset;
	struct gates gates = { NULL, NULL, NULL };
	struct part_head parts;
	struct rules *rs = NULL;
	int r = -EBADMSG;

	if (map_len < offset + sizeof(parts))
		goto bad;
	memcpy(&parts, at, sizeof(parts));
	at += sizeof(parts);
	if (parts.rules > CACHE_MAX || parts.near > CACHE_MAX || parts.far > CACHE_MAX ||
	    parts.all > CACHE_MAX ||
	    offset + sizeof(parts) + parts.rules + parts.near + parts.far + parts.all != map_len)
		goto bad;
	r = rules_read(at, parts.rules, &rs);
	if (r == 0)
		r = load_database(at + parts.rules, parts.near, &gates.near);
	if (r == 0)
		r = load_database(at + parts.rules + parts.near, parts.far, &gates.far);
	if (r == 0)
		r = load_database(at + parts.rules + parts.near + parts.far, parts.all, &gates.all);
	if (r < 0)
		goto bad;
	r = match_set_make(rs, rs, &gates, ret); /* takes all of them */
	if (r < 0) {
		(void) munmap(map, map_len);
		return r;
	}
	(*ret)->map = map;
	(*ret)->map_len = map_len;
	return 0;
bad:
	rules_free(rs);
	gates_done(&gates);
	(void) munmap(map, map_len);
	return r;
}

/* A folder that only this user can write, as it stands: a link to one is not one. */
static int open_dir(const char *dir)
{
	pv_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return pv_steal_fd(&fd);
}

static void file_name(const unsigned char *digest, char name[NAME_SIZE])
{
	char hex[33];

	(void) snprintf(name, NAME_SIZE, "match-%s.cache", sodium_bin2hex(hex, sizeof(hex), digest, 16));
}

static bool head_is_good(const struct cache_head *h, const unsigned char *digest, size_t file_size)
{
	return memcmp(h->magic, CACHE_MAGIC, sizeof(h->magic)) == 0 && h->version == CACHE_VERSION &&
	       h->head_size == sizeof(*h) && h->size == file_size - sizeof(*h) &&
	       memcmp(h->digest, digest, sizeof(h->digest)) == 0;
}

static bool sum_is(const void *data, size_t len, const unsigned char *want)
{
	unsigned char sum[32];

	return crypto_generichash(sum, sizeof(sum), data, len, NULL, 0) == 0 && memcmp(sum, want, sizeof(sum)) == 0;
}

/* The file, mapped: its bytes are as they were stored. -ENOENT: nothing that is good. */
static int map_good(const char *dir, const unsigned char *digest, void **ret_map, size_t *ret_size)
{
	pv_autoclose int dir_fd = open_dir(dir), fd = -1;
	const struct cache_head *h;
	char name[NAME_SIZE];
	struct stat st;
	size_t size;
	void *map;

	if (dir_fd < 0)
		return -ENOENT;
	file_name(digest, name);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid() ||
	    (st.st_mode & 022) || (size_t) st.st_size <= sizeof(*h) || st.st_size > CACHE_MAX)
		return -ENOENT;
	size = (size_t) st.st_size;
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return -ENOENT;
	h = map;
	if (!head_is_good(h, digest, size) || !sum_is(h + 1, size - sizeof(*h), h->sum)) {
		(void) munmap(map, size);
		return -ENOENT;
	}
	*ret_map = map;
	*ret_size = size;
	return 0;
}

int cache_load(const char *dir, const unsigned char *digest, struct match_set **ret)
{
	void *map;
	size_t size;
	int r = map_good(dir, digest, &map, &size);

	if (r < 0)
		return r;
	r = cache_unpack(map, size, sizeof(struct cache_head), ret);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	(*ret)->cached = true;
	return 0;
}

int cache_copy(const char *dir, const unsigned char *digest, int fd)
{
	void *map;
	size_t size;
	int r = map_good(dir, digest, &map, &size);

	if (r < 0)
		return r;
	r = pv_write_all(fd, (const char *) map + sizeof(struct cache_head), size - sizeof(struct cache_head));
	(void) munmap(map, size);
	return r;
}

/* What other rules, another library or a torn write left behind. */
static void remove_old(int dir_fd, const char *keep)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "match-", 6) == 0 && strstr(e->d_name, ".cache") && strcmp(e->d_name, keep) != 0 &&
		    fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - OLD_SECONDS)
			(void) unlinkat(dir_fd, e->d_name, 0);
	if (d)
		(void) closedir(d);
}

int cache_store(const char *dir, const unsigned char *digest, const void *data, size_t len)
{
	struct cache_head h = { .magic = CACHE_MAGIC, .version = CACHE_VERSION, .head_size = sizeof(h), .size = len };
	pv_autoclose int dir_fd = -1, fd = -1;
	char name[NAME_SIZE], fresh[NAME_SIZE + 16];
	int r;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir_fd = open_dir(dir);
	if (dir_fd < 0)
		return dir_fd;
	memcpy(h.digest, digest, sizeof(h.digest));
	if (crypto_generichash(h.sum, sizeof(h.sum), data, len, NULL, 0) != 0)
		return -EINVAL;
	file_name(digest, name);
	(void) snprintf(fresh, sizeof(fresh), "%s.%d", name, (int) getpid());
	(void) unlinkat(dir_fd, fresh, 0);
	fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = pv_write_all(fd, &h, sizeof(h));
	if (r == 0)
		r = pv_write_all(fd, data, len);
	/* Not synced: a file torn by a power loss fails its sum and is made again. */
	if (r == 0 && renameat(dir_fd, fresh, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void) unlinkat(dir_fd, fresh, 0);
	else
		remove_old(dir_fd, name);
	return r;
}
