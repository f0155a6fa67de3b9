#include <string.h>
#include <strings.h>

#include "engine_api/answer.h"

#define HEAD_CAP (16u << 10) /* status line and headers; trailers once more */
#define LINE_CAP 128	     /* a chunk's size with its extensions: bounds what a body of tiny chunks costs */

enum state {
	AT_STATUS,
	AT_HEADER,
	AT_BODY_LENGTH,
	AT_BODY_END, /* until the peer closes */
	AT_CHUNK_SIZE,
	AT_CHUNK_DATA,
	AT_CHUNK_END, /* the line end behind a chunk's data */
	AT_TRAILER,
	AT_DONE,
};

struct http_answer {
	enum state state;
	int error;	      /* stays */
	int status;
	bool chunked, has_length;
	uint64_t left;	      /* of the body, or of the chunk */
	size_t cap, head_len; /* head_len: all bytes of lines before the body, then of trailers */
	struct pv_buf line;   /* the line being read */
	struct pv_buf body;
	size_t taken;	      /* of the body, removed by take_line and not yet moved out */
	size_t searched;      /* of the body, known to hold no line end */
};

int http_answer_new(size_t cap, struct http_answer **ret)
{
	struct http_answer *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->cap = cap;
	h->line.cap = HEAD_CAP;
	h->body.cap = 2 * cap + 1; /* what was taken may still lie in front */
	*ret = h;
	return 0;
}

struct http_answer *http_answer_free(struct http_answer *h)
{
	if (!h)
		return NULL;
	pv_buf_done(&h->line);
	pv_buf_done(&h->body);
	free(h);
	return NULL;
}

/* "HTTP/1.1 200 OK"; the reason may be absent (RFC 9112, 4) */
static int on_status(struct http_answer *h, const char *s, size_t len)
{
	int status = 0;

	if (len < 12 || (strncmp(s, "HTTP/1.1 ", 9) != 0 && strncmp(s, "HTTP/1.0 ", 9) != 0))
		return -EBADMSG;
	for (size_t i = 9; i < 12; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EBADMSG;
		status = status * 10 + (s[i] - '0');
	}
	if (status < 100 || (len > 12 && s[12] != ' '))
		return -EBADMSG;
	h->status = status;
	h->state = AT_HEADER;
	return 0;
}

static int on_length(struct http_answer *h, const char *value)
{
	uint64_t v = 0;
	size_t n;

	for (n = 0; value[n] >= '0' && value[n] <= '9'; n++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t) (value[n] - '0'), &v))
			return -EFBIG;
	if (n == 0 || value[n] || (h->has_length && h->left != v))
		return -EBADMSG;
	h->has_length = true;
	h->left = v;
	return 0;
}

static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", s[i]))
			return false;
	return len > 0;
}

static int on_header(struct http_answer *h, char *s, size_t len)
{
	char *colon = memchr(s, ':', len), *value;

	/* also refuses the folded lines of old: they begin with a blank */
	if (!colon || !is_token(s, (size_t) (colon - s)))
		return -EBADMSG;
	*colon = '\0';
	for (value = colon + 1; *value == ' ' || *value == '\t'; value++)
		;
	while (len && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		s[--len] = '\0';
	if (strcasecmp(s, "Content-Length") == 0)
		return on_length(h, value);
	if (strcasecmp(s, "Transfer-Encoding") == 0) {
		if (strcasecmp(value, "chunked") != 0 || h->chunked)
			return -EBADMSG;
		h->chunked = true;
	}
	return 0;
}

/* The empty line: how does the body end? (RFC 9112, 6.3) */
static int on_head_end(struct http_answer *h)
{
	if (h->chunked && h->has_length)
		return -EBADMSG; /* one of them lies */
	if (h->status < 200) { /* 100 Continue: the real one follows. 101 was not asked for. */
		h->state = AT_STATUS;
		h->chunked = h->has_length = false;
		return h->status == 101 ? -EBADMSG : 0;
	}
	if (h->status == 204 || h->status == 304)
		h->state = AT_DONE;
	else if (h->chunked)
		h->state = AT_CHUNK_SIZE;
	else if (!h->has_length)
		h->state = AT_BODY_END;
	else if (h->left > h->cap)
		return -EFBIG;
	else
		h->state = h->left ? AT_BODY_LENGTH : AT_DONE;
	return 0;
}

static int on_chunk_size(struct http_answer *h, const char *s)
{
	uint64_t v = 0;
	size_t n;

	for (n = 0;; n++) {
		char c = s[n];
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			break;
		if (v >> 60)
			return -EFBIG;
		v = v << 4 | (uint64_t) digit;
	}
	if (n == 0 || (s[n] && s[n] != ';' && s[n] != ' ' && s[n] != '\t'))
		return -EBADMSG;
	h->left = v;
	h->head_len = 0; /* from here on it counts the trailers */
	h->state = v ? AT_CHUNK_DATA : AT_TRAILER;
	return v > h->cap ? -EFBIG : 0;
}

static int on_line(struct http_answer *h, char *s, size_t len)
{
	switch (h->state) {
	case AT_STATUS:
		return on_status(h, s, len);
	case AT_HEADER:
		return len ? on_header(h, s, len) : on_head_end(h);
	case AT_CHUNK_SIZE:
		return on_chunk_size(h, s);
	case AT_CHUNK_END:
		h->state = AT_CHUNK_SIZE;
		return len ? -EBADMSG : 0;
	case AT_TRAILER:
		if (!len)
			h->state = AT_DONE;
		return 0;
	default:
		return -EBADMSG;
	}
}

static size_t line_cap(const struct http_answer *h)
{
	return h->state == AT_CHUNK_SIZE || h->state == AT_CHUNK_END ? LINE_CAP : HEAD_CAP;
}

/* Reads up to and with the next line end. Lines end in CR LF, and hold no NUL and no other CR. Returns how much of
 * `data` it used, or negative. */
static ssize_t feed_line(struct http_answer *h, const char *data, size_t len)
{
	const char *lf = memchr(data, '\n', len);
	size_t n = lf ? (size_t) (lf - data) + 1 : len;
	int r;

	if (h->state != AT_CHUNK_SIZE && h->state != AT_CHUNK_END)
		h->head_len += n;
	if (h->head_len > HEAD_CAP || h->line.len + n > line_cap(h))
		return -EBADMSG;
	pv_buf_add(&h->line, data, n);
	if (h->line.cut)
		return -ENOMEM;
	if (!lf)
		return (ssize_t) n;
	if (h->line.len < 2 || h->line.data[h->line.len - 2] != '\r')
		return -EBADMSG;
	h->line.len -= 2;
	h->line.data[h->line.len] = '\0';
	if (memchr(h->line.data, '\0', h->line.len) || memchr(h->line.data, '\r', h->line.len))
		return -EBADMSG;
	r = on_line(h, h->line.data, h->line.len);
	pv_buf_clear(&h->line);
	return r < 0 ? r : (ssize_t) n;
}

static void drop_taken(struct http_answer *h)
{
	if (!h->taken)
		return;
	h->body.len -= h->taken;
	memmove(h->body.data, h->body.data + h->taken, h->body.len + 1);
	h->searched -= h->taken;
	h->taken = 0;
}

static ssize_t feed_body(struct http_answer *h, const char *data, size_t len)
{
	size_t n = h->state == AT_BODY_END ? len : (size_t) PV_MIN((uint64_t) len, h->left);

	if (n > h->cap - (h->body.len - h->taken))
		return -EFBIG;
	if (h->taken >= h->body.len / 2) /* at least as much leaves as is moved */
		drop_taken(h);
	pv_buf_add(&h->body, data, n);
	if (h->body.cut)
		return -ENOMEM;
	if (h->state == AT_BODY_END)
		return (ssize_t) n;
	h->left -= n;
	if (!h->left)
		h->state = h->chunked ? AT_CHUNK_END : AT_DONE;
	return (ssize_t) n;
}

static bool in_body(const struct http_answer *h)
{
	return h->state == AT_BODY_LENGTH || h->state == AT_BODY_END || h->state == AT_CHUNK_DATA;
}

int http_answer_feed(struct http_answer *h, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len && !h->error && h->state != AT_DONE) {
		n = in_body(h) ? feed_body(h, p, len) : feed_line(h, p, len);
		if (n < 0) {
			h->error = (int) n;
			break;
		}
		p += n;
		len -= (size_t) n;
	}
	return h->error ? h->error : h->state == AT_DONE;
}

int http_answer_end(struct http_answer *h)
{
	if (h->error)
		return h->error;
	if (h->state == AT_BODY_END)
		h->state = AT_DONE;
	return h->state == AT_DONE ? 1 : -EPIPE;
}

int http_answer_status(const struct http_answer *h)
{
	return h->status < 200 ? 0 : h->status;
}

const struct pv_buf *http_answer_body(const struct http_answer *h)
{
	/* Lines taken are moved out late; nobody sees that from outside. The object itself is never const. */
	drop_taken((struct http_answer *) (uintptr_t) h);
	return &h->body;
}

void http_answer_take_all(struct http_answer *h)
{
	h->taken = h->searched = h->body.len;
	drop_taken(h);
}

bool http_answer_take_line(struct http_answer *h, struct pv_buf *ret_line)
{
	const char *from, *lf;

	h->searched = PV_MAX(h->searched, h->taken);
	if (h->searched >= h->body.len)
		return false;
	from = h->body.data + h->taken;
	lf = memchr(h->body.data + h->searched, '\n', h->body.len - h->searched);
	if (!lf) {
		h->searched = h->body.len;
		return false;
	}
	pv_buf_clear(ret_line);
	pv_buf_add(ret_line, from, (size_t) (lf - from));
	h->taken += (size_t) (lf - from) + 1;
	h->searched = h->taken;
	return true;
}
