/* What makes itself at home on the host: cron, units, keys, preloads, shell profiles. The broker watches the folders (fanotify)
 * and shows the files; here is known what stood in them (as hashes of lines), and what came is told. Nothing is blocked: who
 * writes there is root, and root's own work looks the same. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "detect/lines.h"
#include "guard/guard.h"
#include "model/persist.h"
#include "report/tell.h"

#define RELIST_US (200 * USEC_PER_MSEC)

struct persist_file {
	struct lines lines;
};

struct persist_state {
	struct guard *g;
	int fd;
	sd_event_source *source;
	struct persist_folder *folders;
	size_t n;
	uint32_t number;     /* of that list */
	struct pv_map seen;  /* hash of a folder's path: its files are known */
	struct pv_map files; /* hash of a file's path -> struct persist_file */
	uint8_t key[LINES_KEY];
	bool listing, again, first;
	uint64_t lost;	 /* places of the last list that cannot be watched */
	uint64_t unread; /* files and folders that could not be looked into */
	char why[96];	 /* nothing is watched: why; empty: it is */
	uint64_t listed_us;
};

/* A question that is under way. */
struct persist_ask {
	struct persist_state *p;
	struct persist_folder folder;
	char name[72];
	uint32_t which, number; /* of the folder, in the list of that number */
	bool quiet;		/* what is there now is what was there before */
};

static void list(struct persist_state *p);

static uint64_t path_hash(const struct persist_state *p, const char *folder, const char *name)
{
	char path[512];
	uint64_t h = 0;
	int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

	(void) crypto_shorthash((unsigned char *) &h, (const unsigned char *) path, PV_MIN((size_t) n, sizeof(path) - 1), p->key);
	return h ? h : 1;
}

static void cannot_watch(struct persist_state *p, const char *what, int r)
{
	if (r == -EPIPE) /* the broker ends */
		return;
	(void) snprintf(p->why, sizeof(p->why), "%s%s", what, strerror(-r));
	log_warning("cron, units and keys are not watched: %s", p->why);
}

static void cannot_read(struct persist_state *p, const char *folder, const char *name, int r)
{
	if (r == 0 || r == -ENOENT || r == -ESTALE || r == -EPIPE)
		return;
	if (p->unread++ < 10)
		log_warning("%s/%s could not be looked into: %s", folder, name, strerror(-r));
}

void persist_json(struct guard *g, struct pv_buf *out)
{
	const struct persist_state *p = g->persist;

	pv_buf_printf(out, ",\"persistence\":{\"folders\":%zu,\"lost\":%" PRIu64 ",\"unread\":%" PRIu64 ",\"why\":", p ? p->n : 0,
		      p ? p->lost : 0, p ? p->unread : 0);
	pv_buf_json_str(out, p && (p->folders || *p->why) ? p->why : "it has not begun");
	pv_buf_putc(out, '}');
}

static void again(struct persist_state *p)
{
	p->again = true;
	if (!p->listing && clock_monotonic_us() - p->listed_us > RELIST_US)
		list(p);
}

/* ---- one file ---- */

static void tell(struct persist_state *p, const struct persist_ask *ask, const struct persist_look *look,
		 const struct lines *before, const char *text, size_t gone)
{
	enum persist_kind kind = persist_places[ask->folder.place].kind;
	struct tell_persist t = { .look = look, .kind = persist_kind_text(kind), .gone = gone };
	char path[320];
	struct notice n;
	uint64_t key;

	(void) snprintf(path, sizeof(path), "%s/%s", ask->folder.path, ask->name);
	t.path = path;
	notice_init(&n, ID_HOST_PERSISTENCE, clock_wall_us());
	tell_persist_begin(&n, &t);
	t.added = lines_added(p->key, before, text, look->size, tell_persist_line, &n);
	if (!t.added && !look->odd)
		return;
	tell_persist_end(&n, &t);
	key = kernel_mix(kernel_mix(ID_HOST_PERSISTENCE, path, strlen(path)), n.what, strlen(n.what));
	notices_fold(p->g, key, &n);
}

static void take_look(struct persist_state *p, const struct persist_ask *ask, const struct persist_look *look, const char *text)
{
	uint64_t hash = path_hash(p, ask->folder.path, ask->name);
	struct persist_file *f = pv_map_get(&p->files, hash);
	struct lines now;

	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f || pv_map_put(&p->files, hash, f) < 0) {
			free(f);
			return;
		}
	}
	if (lines_of(p->key, text, look->size, &now) < 0)
		return;
	if (!ask->quiet)
		tell(p, ask, look, &f->lines, text, lines_gone(&f->lines, &now));
	lines_done(&f->lines);
	f->lines = now;
}

static int read_all(int fd, uint8_t **ret, size_t *ret_len)
{
	struct stat st;
	uint8_t *data;

	if (fstat(fd, &st) < 0 || st.st_size > (off_t) (1u << 20))
		return -EBADMSG;
	data = malloc((size_t) st.st_size + 1);
	if (!data)
		return -ENOMEM;
	if (pread(fd, data, (size_t) st.st_size, 0) != st.st_size) {
		free(data);
		return -EIO;
	}
	*ret = data;
	*ret_len = (size_t) st.st_size;
	return 0;
}

/* /etc is a folder of several places. */
static uint64_t folder_key(const struct persist_state *p, const struct persist_folder *f)
{
	return path_hash(p, f->path, "") ^ f->place;
}

/* The list was made anew meanwhile: numbers mean other folders. */
static void stale(struct persist_state *p, const struct persist_ask *ask)
{
	(void) pv_map_take(&p->seen, folder_key(p, &ask->folder));
	again(p);
}

static void on_look(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	pv_autofree struct persist_ask *ask = arg;
	pv_autofree uint8_t *data = NULL;
	const struct persist_look *look;
	size_t len = 0;

	(void) g;
	if (rep->result == -ESTALE)
		stale(ask->p, ask);
	if (rep->result == 0 && fd >= 0 && read_all(fd, &data, &len) == 0 && len >= sizeof(*look)) {
		look = (const void *) data;
		if (look->size == len - sizeof(*look) && look->n_chain <= PERSIST_CHAIN)
			take_look(ask->p, ask, look, (const char *) data + sizeof(*look));
	} else {
		cannot_read(ask->p, ask->folder.path, ask->name, rep->result ? rep->result : -EBADMSG);
	}
	(void) pv_close(fd);
}

static void look(struct persist_state *p, const struct persist_folder *folder, uint32_t which, const char *name, uint32_t pid,
		 bool quiet)
{
	struct broker_req req = { .op = BROKER_PERSIST_LOOK, .arg = which | (uint64_t) p->number << 32, .arg2 = pid };
	struct persist_ask *ask;

	if (!text_copy(req.id, sizeof(req.id), name)) {
		log_warning("%s: a file's name is too long to be looked at", folder->path);
		return;
	}
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return;
	*ask = (struct persist_ask){ .p = p, .folder = *folder, .which = which, .number = p->number, .quiet = quiet };
	(void) text_copy(ask->name, sizeof(ask->name), name);
	if (link_call(p->g, &req, on_look, ask) < 0)
		free(ask);
}

/* ---- folders ---- */

static void on_names(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	pv_autofree struct persist_ask *ask = arg;
	pv_autofree uint8_t *data = NULL;
	struct persist_state *p = ask->p;
	size_t len = 0;

	(void) g;
	if (rep->result == -ESTALE || (rep->result == 0 && ask->number != p->number)) {
		stale(p, ask);
	} else if (rep->result == 0 && fd >= 0 && read_all(fd, &data, &len) == 0) {
		data[len] = '\0';
		for (size_t at = 0; at < len; at += strlen((char *) data + at) + 1)
			look(p, &ask->folder, ask->which, (char *) data + at, 0, ask->quiet);
	} else {
		cannot_read(p, ask->folder.path, "", rep->result ? rep->result : -EBADMSG);
	}
	(void) pv_close(fd);
}

/* Files of a folder that nobody has looked into. What comes with a new home (/etc/skel) is no news, keys are. */
static void ask_names(struct persist_state *p, uint32_t which)
{
	struct broker_req req = { .op = BROKER_PERSIST_NAMES, .arg = which | (uint64_t) p->number << 32 };
	struct persist_ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return;
	*ask = (struct persist_ask){ .p = p, .folder = p->folders[which], .which = which, .number = p->number };
	ask->quiet = p->first || persist_places[ask->folder.place].kind == PERSIST_SHELL;
	if (link_call(p->g, &req, on_names, ask) < 0)
		free(ask);
}

static void on_list(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct persist_state *p = arg;
	pv_autofree uint8_t *data = NULL;
	size_t len = 0;
	int r = rep->result;

	(void) g;
	p->listing = false;
	if (r == 0)
		r = fd < 0 ? -EBADMSG : read_all(fd, &data, &len);
	(void) pv_close(fd);
	if (r < 0) {
		cannot_watch(p, "", r);
		return;
	}
	p->why[0] = '\0';
	free(p->folders);
	p->folders = (void *) pv_steal(data);
	p->n = len / sizeof(*p->folders);
	p->number = (uint32_t) rep->value2;
	if (rep->value > p->lost)
		log_warning("%u places of cron, units and keys cannot be watched whole: pavise doctor", (unsigned) rep->value);
	p->lost = rep->value;
	for (size_t i = 0; i < p->n; i++) {
		uint64_t h;

		p->folders[i].path[sizeof(p->folders[i].path) - 1] = '\0';
		h = folder_key(p, &p->folders[i]);
		if (p->folders[i].place >= persist_n_places || pv_map_get(&p->seen, h))
			continue;
		if (pv_map_put(&p->seen, h, p) == 0)
			ask_names(p, (uint32_t) i);
	}
	p->first = false;
}

static void list(struct persist_state *p)
{
	struct broker_req req = { .op = BROKER_PERSIST_LIST };

	p->again = false;
	p->listed_us = clock_monotonic_us();
	p->listing = link_call(p->g, &req, on_list, p) == 0;
}

/* ---- events ---- */

struct dir_name {
	const uint32_t *fsid;
	const struct file_handle *handle;
	const char *name;
};

/* The record that names folder and file. The kernel wrote it; lengths are checked all the same. */
static bool dir_name_of(const struct fanotify_event_metadata *m, struct dir_name *ret)
{
	const uint8_t *at = (const uint8_t *) m + m->metadata_len, *end = (const uint8_t *) m + m->event_len;

	while (end - at >= (ptrdiff_t) sizeof(struct fanotify_event_info_fid)) {
		const struct fanotify_event_info_fid *fid = (const void *) at;
		const struct file_handle *h = (const void *) fid->handle;
		const uint8_t *next = at + fid->hdr.len, *name = (const uint8_t *) h->f_handle + h->handle_bytes;

		if (next > end || next <= at)
			return false;
		if (fid->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME && name < next &&
		    memchr(name, 0, (size_t) (next - name))) {
			*ret = (struct dir_name){ (const uint32_t *) &fid->fsid, h, (const char *) name };
			return true;
		}
		at = next;
	}
	return false;
}

static bool is_folder(const struct persist_folder *f, const struct dir_name *d)
{
	return f->handle_type == (uint32_t) d->handle->handle_type && f->handle_len == d->handle->handle_bytes &&
	       f->handle_len <= PERSIST_HANDLE && memcmp(f->fsid, d->fsid, sizeof(f->fsid)) == 0 &&
	       memcmp(f->handle, d->handle->f_handle, f->handle_len) == 0;
}

static void on_event(struct persist_state *p, const struct fanotify_event_metadata *m)
{
	struct dir_name d;

	if (m->mask & FAN_Q_OVERFLOW) { /* every file is looked at, and compared with what is known */
		for (size_t i = 0; i < p->n; i++)
			(void) pv_map_take(&p->seen, folder_key(p, &p->folders[i]));
		again(p);
		return;
	}
	if (m->mask & FAN_ONDIR) {
		again(p);
		return;
	}
	if (!dir_name_of(m, &d))
		return;
	for (size_t i = 0; i < p->n; i++)
		if (is_folder(&p->folders[i], &d) && persist_takes(&persist_places[p->folders[i].place], d.name))
			look(p, &p->folders[i], (uint32_t) i, d.name, m->pid > 0 ? (uint32_t) m->pid : 0, false);
}

static int on_fanotify(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct persist_state *p = arg;
	_Alignas(struct fanotify_event_metadata) uint8_t buf[8192];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void) s;
	(void) revents;
	for (const struct fanotify_event_metadata *m = (const void *) buf; n > 0 && FAN_EVENT_OK(m, n);
	     m = FAN_EVENT_NEXT(m, n)) {
		if (m->vers != FANOTIFY_METADATA_VERSION)
			break;
		on_event(p, m);
	}
	return 0;
}

static void on_watch(struct guard *g, const struct broker_rep *rep, int fd, void *arg)
{
	struct persist_state *p = arg;
	int r = rep->result;

	if (r == 0)
		r = fd < 0 ? -EBADMSG : sd_event_add_io(g->loop, &p->source, fd, EPOLLIN, on_fanotify, p);
	if (r < 0) {
		(void) pv_close(fd);
		cannot_watch(p, "this kernel's fanotify cannot do it: ", r);
		return;
	}
	p->fd = fd;
	list(p);
}

void persist_second(struct guard *g)
{
	if (g->persist && g->persist->again && !g->persist->listing && g->persist->fd >= 0)
		list(g->persist);
}

int persist_start(struct guard *g)
{
	struct broker_req req = { .op = BROKER_PERSIST_WATCH };
	struct persist_state *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct persist_state){ .g = g, .fd = -1, .first = true };
	randombytes_buf(p->key, sizeof(p->key));
	g->persist = p;
	return link_call(g, &req, on_watch, p);
}

void persist_stop(struct guard *g)
{
	struct persist_state *p = g->persist;
	struct persist_file *f;

	g->persist = NULL;
	if (!p)
		return;
	for (size_t i = 0; (f = pv_map_next(&p->files, &i));) {
		lines_done(&f->lines);
		free(f);
	}
	pv_map_done(&p->files);
	pv_map_done(&p->seen);
	(void) sd_event_source_disable_unref(p->source);
	(void) pv_close(p->fd);
	free(p->folders);
	free(p);
}
