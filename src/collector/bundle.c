#include "collector/bundle.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <zstd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/io.h"

#define ARCHIVE	  "evidence.tar.zst"
#define BLOCK	  512
#define CHUNK	  (256u << 10)
#define FILES_MAX 1024
#define LEVEL	  1 /* of zstd: the machine has other work */

struct entry {
	char path[128], origin[192];
	uint64_t size, taken_us;
	uint8_t sha256[32];
	bool cut;
};

struct lack {
	char what[96], why[160];
};

struct bundle {
	int dir, evidence, archive;
	ZSTD_CCtx *zstd;
	uint64_t room, deadline_us, started_us, bytes;
	int error;
	struct entry *entries;
	struct lack *lacks;
	uint32_t n, n_lacks;
	uint8_t chunk[CHUNK], packed[CHUNK];
};

/* A name of ours begins with the time of its making. No other is made, since only these are counted and removed again. */
static bool is_bundle(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");

	return len > 16 && !name[len] && len < 64 && strspn(name, "0123456789") == 8 && name[8] == 'T' && name[15] == 'Z';
}

static void put_hex(struct pv_buf *out, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		pv_buf_printf(out, "%02x", b[i]);
}

/* ---- the archive ---- */

static void pack(struct bundle *b, const void *data, size_t len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { b->packed, sizeof(b->packed), 0 };

		left = ZSTD_compressStream2(b->zstd, &out, &in, how);
		if (ZSTD_isError(left))
			b->error = b->error ? b->error : -EIO;
		if (!b->error)
			b->error = pv_write_all(b->archive, b->packed, out.pos);
	} while (!b->error && (in.pos < in.size || (how != ZSTD_e_continue && left)));
}

/* Eleven digits and a NUL: sizes and times up to 8 GB and the year 2242. */
static void put_octal(char out[12], uint64_t value)
{
	char text[32];

	(void) snprintf(text, sizeof(text), "%011llo", (unsigned long long) value);
	memcpy(out, text, 11);
	out[11] = '\0';
}

/* POSIX.1-1988 ustar. */
static void pack_header(struct bundle *b, const char *path, uint64_t size)
{
	char h[BLOCK] = { 0 };
	unsigned sum = 0;

	(void) snprintf(h, 100, "%s", path);
	memcpy(h + 100, "0000600", 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	put_octal(h + 124, size);
	put_octal(h + 136, b->started_us / USEC_PER_SEC);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	memcpy(h + 265, "root", 4);
	memcpy(h + 297, "root", 4);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (uint8_t) h[i];
	(void) snprintf(h + 148, 8, "%06o", sum);
	h[155] = ' ';
	pack(b, h, sizeof(h), ZSTD_e_continue);
}

static void pack_end(struct bundle *b, uint64_t size)
{
	static const char zero[BLOCK];

	if (size % BLOCK)
		pack(b, zero, BLOCK - size % BLOCK, ZSTD_e_continue);
	pack(b, NULL, 0, ZSTD_e_flush);
}

static struct entry *add(struct bundle *b, const char *path, const char *origin)
{
	struct entry *e;

	if (b->n == FILES_MAX) {
		bundle_missing(b, path, "a bundle holds no more than %u files", FILES_MAX);
		return NULL;
	}
	e = &b->entries[b->n++];
	(void) snprintf(e->path, sizeof(e->path), "%s", path);
	(void) snprintf(e->origin, sizeof(e->origin), "%s", origin);
	e->taken_us = clock_wall_us();
	return e;
}

void bundle_text(struct bundle *b, const char *path, const char *origin, const char *text, size_t len)
{
	struct entry *e = add(b, path, origin);

	if (!e)
		return;
	e->cut = len > b->room - b->bytes;
	e->size = e->cut ? b->room - b->bytes : len;
	(void) crypto_hash_sha256(e->sha256, (const uint8_t *) text, e->size);
	pack_header(b, path, e->size);
	pack(b, text, e->size, ZSTD_e_continue);
	pack_end(b, e->size);
	b->bytes += e->size;
}

/* `want` octets: the file's own as long as they come and time lasts, then zeroes, since the header has said how many. Digest and
 * size are those of what lies in the archive. How many are the file's own. */
static uint64_t pack_file(struct bundle *b, int fd, uint64_t want, struct entry *e)
{
	crypto_hash_sha256_state hash;
	uint64_t at = 0, own = 0;
	bool over = false;

	(void) crypto_hash_sha256_init(&hash);
	while (at < want && !b->error) {
		size_t len = (size_t) PV_MIN(want - at, (uint64_t) CHUNK);
		ssize_t n = over || bundle_late(b) ? 0 : pread(fd, b->chunk, len, (off_t) at);

		if (n <= 0) {
			over = e->cut = true;
			memset(b->chunk, 0, len);
			n = (ssize_t) len;
		} else {
			own += (uint64_t) n;
		}
		(void) crypto_hash_sha256_update(&hash, b->chunk, (size_t) n);
		pack(b, b->chunk, (size_t) n, ZSTD_e_continue);
		at += (uint64_t) n;
	}
	(void) crypto_hash_sha256_final(&hash, e->sha256);
	e->size = want;
	return own;
}

bool bundle_file(struct bundle *b, const char *path, const char *origin, int fd, uint8_t ret_sha256[32])
{
	struct entry *e;
	struct stat st;
	uint64_t want, own;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		bundle_missing(b, path, "it is not a regular file");
		return false;
	}
	if (bundle_late(b)) {
		bundle_missing(b, path, "the time was over");
		return false;
	}
	e = add(b, path, origin);
	if (!e)
		return false;
	want = PV_MIN((uint64_t) st.st_size, b->room - b->bytes);
	e->cut = want < (uint64_t) st.st_size;
	pack_header(b, path, want);
	own = pack_file(b, fd, want, e);
	pack_end(b, want);
	b->bytes += want;
	if (e->cut)
		bundle_missing(b, path, "of %llu octets %llu were taken: %s%s", (unsigned long long) st.st_size, (unsigned long long) own,
			       bundle_late(b) ? "the time was over" : own < want ? "it could not be read further" : "the bundle was full",
			       own < want ? "; zeroes fill its place" : "");
	else
		memcpy(ret_sha256, e->sha256, 32);
	return !e->cut;
}

void bundle_missing(struct bundle *b, const char *what, const char *fmt, ...)
{
	struct lack *l;
	va_list ap;

	if (b->n_lacks == FILES_MAX)
		return;
	l = &b->lacks[b->n_lacks++];
	if (b->n_lacks == FILES_MAX) { /* the last place */
		what = "more";
		fmt = "what else is missing found no room in this list";
	}
	(void) snprintf(l->what, sizeof(l->what), "%s", what);
	va_start(ap, fmt);
	(void) vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
}

/* ---- the manifest ---- */

static void put_boot_id(struct pv_buf *out)
{
	pv_autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[40] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id) - 1);

	while (n > 0 && id[n - 1] == '\n')
		n--;
	pv_buf_json_strn(out, id, n > 0 ? (size_t) n : 0);
}

static void put_entry(struct pv_buf *out, const struct entry *e)
{
	pv_buf_puts(out, "{\"path\":");
	pv_buf_json_str(out, e->path);
	pv_buf_printf(out, ",\"size\":%llu,\"sha256\":\"", (unsigned long long) e->size);
	put_hex(out, e->sha256, 32);
	pv_buf_puts(out, "\",\"origin\":");
	pv_buf_json_str(out, e->origin);
	pv_buf_puts(out, ",\"taken\":\"");
	clock_rfc3339(out, e->taken_us);
	pv_buf_printf(out, "\",\"cut\":%s}", e->cut ? "true" : "false");
}

static int put_archive(const struct bundle *b, struct pv_buf *out)
{
	pv_autoclose int fd = openat(b->dir, ARCHIVE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t sha256[32];
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = bundle_hash(fd, UINT64_MAX, UINT64_MAX, sha256);
	pv_buf_printf(out, ",\"archive\":{\"path\":\"" ARCHIVE "\",\"size\":%llu,\"sha256\":\"", (unsigned long long) st.st_size);
	put_hex(out, sha256, 32);
	pv_buf_puts(out, "\"}");
	return r;
}

static int manifest(const struct bundle *b, bool over, struct pv_buf *out)
{
	struct utsname host;
	int r = 0;

	pv_buf_puts(out, "{\"schema\":1,\"host\":");
	pv_buf_json_str(out, uname(&host) == 0 ? host.nodename : "");
	pv_buf_puts(out, ",\"boot_id\":");
	put_boot_id(out);
	pv_buf_puts(out, ",\"started\":\"");
	clock_rfc3339(out, b->started_us);
	pv_buf_puts(out, "\"");
	if (over) {
		pv_buf_puts(out, ",\"ended\":\"");
		clock_rfc3339(out, clock_wall_us());
		pv_buf_puts(out, "\"");
		r = put_archive(b, out);
	}
	pv_buf_puts(out, ",\"files\":[");
	for (uint32_t i = 0; i < b->n; i++) {
		pv_buf_puts(out, i ? ",\n" : "\n");
		put_entry(out, &b->entries[i]);
	}
	pv_buf_puts(out, "],\"missing\":[");
	for (uint32_t i = 0; i < b->n_lacks; i++) {
		pv_buf_puts(out, i ? ",\n{\"what\":" : "\n{\"what\":");
		pv_buf_json_str(out, b->lacks[i].what);
		pv_buf_puts(out, ",\"why\":");
		pv_buf_json_str(out, b->lacks[i].why);
		pv_buf_putc(out, '}');
	}
	if (!over)
		pv_buf_printf(out, "%s\n{\"what\":\"the rest\",\"why\":\"the capture did not come to its end\"}",
			      b->n_lacks ? "," : "");
	pv_buf_puts(out, "]}\n");
	return out->cut ? -ENOMEM : r;
}

static int put_file(int dir, const char *name, const void *data, size_t len)
{
	pv_autoclose int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : pv_write_all(fd, data, len);
}

/* OpenSSL reads it: the fixed frame of an Ed25519 key (RFC 8410), then its 32 octets. */
static int put_public(int evidence, const uint8_t key[crypto_sign_PUBLICKEYBYTES])
{
	static const uint8_t frame[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
	uint8_t der[sizeof(frame) + crypto_sign_PUBLICKEYBYTES];
	char text[96], pem[192];

	memcpy(der, frame, sizeof(frame));
	memcpy(der + sizeof(frame), key, crypto_sign_PUBLICKEYBYTES);
	(void) sodium_bin2base64(text, sizeof(text), der, sizeof(der), sodium_base64_VARIANT_ORIGINAL);
	(void) snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", text);
	return put_file(evidence, "host.pub", pem, strlen(pem));
}

/* Two captures may be the first: the key that has the name is the key. */
static int host_key(int evidence, uint8_t secret[crypto_sign_SECRETKEYBYTES])
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	char fresh[40];
	int fd, r;

	for (int i = 0; i < 2; i++) {
		fd = openat(evidence, "host.key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0) {
			r = read(fd, secret, crypto_sign_SECRETKEYBYTES) == crypto_sign_SECRETKEYBYTES ? 0 : -EBADMSG;
			(void) pv_close(fd);
			return r;
		}
		if (errno != ENOENT)
			return -errno;
		(void) crypto_sign_keypair(public, secret);
		(void) snprintf(fresh, sizeof(fresh), ".host.key.%d", (int) getpid());
		r = put_file(evidence, fresh, secret, crypto_sign_SECRETKEYBYTES);
		if (r == 0 && linkat(evidence, fresh, evidence, "host.key", 0) == 0)
			r = put_public(evidence, public);
		(void) unlinkat(evidence, fresh, 0);
		if (r < 0)
			return r;
	}
	return -EIO;
}

static int sign(const struct bundle *b, const struct pv_buf *text)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES], sig[crypto_sign_BYTES];
	int r = host_key(b->evidence, secret);

	if (r < 0)
		return r;
	(void) crypto_sign_detached(sig, NULL, (const uint8_t *) pv_buf_str(text), text->len, secret);
	sodium_memzero(secret, sizeof(secret));
	return put_file(b->dir, "manifest.sig", sig, sizeof(sig));
}

static int put_manifest(const struct bundle *b, bool over)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = manifest(b, over, &text);

	if (r == 0)
		r = put_file(b->dir, ".manifest.json", pv_buf_str(&text), text.len);
	if (r == 0 && renameat(b->dir, ".manifest.json", b->dir, "manifest.json") < 0)
		r = -errno;
	return r < 0 || !over ? r : sign(b, &text);
}

/* ---- beginning and end ---- */

int bundle_new(int evidence_fd, const char *name, uint64_t room, uint64_t deadline_us, struct bundle **ret)
{
	pv_auto(bundle) b = NULL;

	if (!is_bundle(name))
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = (struct bundle){ .dir = -1,
			      .archive = -1,
			      .evidence = evidence_fd,
			      .room = room,
			      .deadline_us = deadline_us,
			      .started_us = clock_wall_us() };
	b->entries = calloc(FILES_MAX, sizeof(*b->entries));
	b->lacks = calloc(FILES_MAX, sizeof(*b->lacks));
	b->zstd = ZSTD_createCCtx();
	if (!b->entries || !b->lacks || !b->zstd || sodium_init() < 0)
		return -ENOMEM;
	(void) ZSTD_CCtx_setParameter(b->zstd, ZSTD_c_compressionLevel, LEVEL);
	(void) ZSTD_CCtx_setParameter(b->zstd, ZSTD_c_checksumFlag, 1);
	if (mkdirat(evidence_fd, name, 0700) < 0)
		return -errno;
	b->dir = openat(evidence_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (b->dir < 0)
		return -errno;
	b->archive = openat(b->dir, ARCHIVE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->archive < 0)
		return -errno;
	b->error = put_manifest(b, false);
	if (b->error)
		return b->error;
	*ret = pv_steal(b);
	return 0;
}

struct bundle *bundle_free(struct bundle *b)
{
	if (!b)
		return NULL;
	b->dir = pv_close(b->dir);
	b->archive = pv_close(b->archive);
	(void) ZSTD_freeCCtx(b->zstd);
	free(b->entries);
	free(b->lacks);
	free(b);
	return NULL;
}

int bundle_end(struct bundle *b)
{
	static const char zero[2 * BLOCK];

	pack(b, zero, sizeof(zero), ZSTD_e_end);
	if (!b->error && (fsync(b->archive) < 0))
		b->error = -errno;
	return b->error ? b->error : put_manifest(b, true);
}

bool bundle_late(const struct bundle *b)
{
	return clock_monotonic_us() >= b->deadline_us;
}

uint32_t bundle_files(const struct bundle *b)
{
	return b->n;
}

uint32_t bundle_lacks(const struct bundle *b)
{
	return b->n_lacks;
}

uint64_t bundle_bytes(const struct bundle *b)
{
	return b->bytes;
}

void bundle_lacks_text(const struct bundle *b, char *out, size_t size)
{
	pv_autobuf text = PV_BUF_INIT;

	for (uint32_t i = 0; i < b->n_lacks && i < 3; i++)
		pv_buf_printf(&text, "%s%s", i ? "; " : "", b->lacks[i].what);
	if (b->n_lacks > 3)
		pv_buf_printf(&text, "; and %u more", b->n_lacks - 3);
	(void) snprintf(out, size, "%s", pv_buf_str(&text));
}

int bundle_hash(int fd, uint64_t max, uint64_t deadline_us, uint8_t ret[32])
{
	crypto_hash_sha256_state hash;
	uint8_t *chunk = malloc(CHUNK);
	uint64_t at = 0;
	ssize_t n = 1;
	int r = chunk ? 0 : -ENOMEM;

	(void) crypto_hash_sha256_init(&hash);
	while (r == 0 && n > 0) {
		n = pread(fd, chunk, CHUNK, (off_t) at);
		if (n < 0)
			r = -errno;
		else if (at + (uint64_t) n > max)
			r = -EFBIG;
		else if (n > 0 && clock_monotonic_us() >= deadline_us)
			r = -ETIME;
		else if (n > 0)
			(void) crypto_hash_sha256_update(&hash, chunk, (size_t) n);
		at += n > 0 ? (uint64_t) n : 0;
	}
	free(chunk);
	(void) crypto_hash_sha256_final(&hash, ret);
	return r;
}

/* ---- how much is kept ---- */

struct kept {
	char name[64];
	uint64_t bytes;
};

static const char *const own_files[] = { "manifest.json", "manifest.sig", ARCHIVE, ".manifest.json" };

static uint64_t bytes_of(int evidence, const char *name)
{
	pv_autoclose int dir = openat(evidence, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t bytes = 0;
	struct stat st;

	for (size_t i = 0; dir >= 0 && i < N_ELEMENTS(own_files); i++)
		if (fstatat(dir, own_files[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t) st.st_blocks * 512;
	return bytes;
}

/* Only files of ours are taken away: a folder that holds something else stays. */
static void remove_one(int evidence, const char *name)
{
	pv_autoclose int dir = openat(evidence, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	for (size_t i = 0; dir >= 0 && i < N_ELEMENTS(own_files); i++)
		(void) unlinkat(dir, own_files[i], 0);
	(void) unlinkat(evidence, name, AT_REMOVEDIR);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kept *) a)->name, ((const struct kept *) b)->name);
}

void bundle_retain(int evidence_fd, uint64_t max, uint32_t count, uint64_t room)
{
	int fd = openat(evidence_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct kept *list = NULL;
	size_t n = 0, size = 0, first = 0;
	uint64_t total = room;
	struct dirent *e;

	if (!d) {
		(void) pv_close(fd);
		return;
	}
	while ((e = readdir(d))) {
		if (!is_bundle(e->d_name))
			continue;
		if (pv_grow(&list, n, &size, sizeof(*list), 256) < 0)
			break;
		(void) snprintf(list[n].name, sizeof(list[n].name), "%.63s", e->d_name);
		list[n].bytes = bytes_of(evidence_fd, e->d_name);
		total += list[n++].bytes;
	}
	(void) closedir(d);
	if (n)
		qsort(list, n, sizeof(*list), by_name);
	for (; first < n && (n - first >= count || total > max); first++) {
		remove_one(evidence_fd, list[first].name);
		total -= list[first].bytes;
	}
	free(list);
}
