/* log_stream.h - what a container prints, as the engine streams it (body of API_FOLLOW, in pieces that are cut anywhere), and the
 * place in it from which a later stream goes on.
 *
 * Without a terminal it is frames: 8 octets (stream 1 or 2, three zeroes, length, big endian), then the time (RFC 3339), a blank
 * and the text. A line that is longer than 16 KiB comes as several frames, of which only the last one ends in a line end. With a
 * terminal it is the same without octets, one line behind another. A frame of stream 3 is a word of the engine's own and is
 * passed over. (docs.docker.com/reference/api/engine, ContainerAttach "Stream format"; Podman's compatible API is alike, its
 * times may be whole seconds.)
 *
 * Hostile: the text is the container's, lengths are not trusted, and nothing is kept but a line of each stream, LOG_LINE_MAX
 * bytes at most (the rest of a longer one is left out). Pure. */
#ifndef PV_ENGINE_API_LOG_STREAM_H
#define PV_ENGINE_API_LOG_STREAM_H

#include "base/buf.h"
#include "model/log_event.h"

struct log_stream_line {
	unsigned stream;  /* 0: stdout, or a terminal; 1: stderr */
	const char *text; /* not terminated, without its end; valid during the call */
	size_t len;
	uint64_t ns; /* wall clock; of a long line's first piece */
};
typedef int (*log_stream_fn)(const struct log_stream_line *line, void *arg);

struct log_stream;
int log_stream_new(struct log_stream **ret);
struct log_stream *log_stream_free(struct log_stream *s);
PV_AUTO(log_stream)
/* Calls fn for each line that is whole; one without a time is passed over. 0, the first non-zero that fn returned, -EBADMSG
 * (these are no frames), -ENOMEM; after anything but 0 the stream is of no use any more. */
int log_stream_feed(struct log_stream *s, const char *data, size_t len, log_stream_fn fn, void *arg);

/* How far was read. The times of one stream rise, those of both do not (each is copied by itself): for each the time of its last
 * line, and how many lines of that very time were given. A clock that is set back between two streams may give lines twice. */
struct log_place_in {
	struct {
		uint64_t ns;
		uint32_t n;
		/* of the stream that is being read */
		uint32_t again;
		bool past; /* all that comes is new */
	} at[2];
};
void log_place_begin(struct log_place_in *p, uint64_t ns); /* nothing was read yet, and nothing before ns is wanted */
void log_place_again(struct log_place_in *p);		   /* another stream begins */
/* Is this line new? Then the place is behind it. */
bool log_place_take(struct log_place_in *p, const struct log_stream_line *line);
/* From which second a stream must begin to hold all that is new: a minute before the last line, for what the other stream wrote
 * late. */
uint32_t log_place_since(const struct log_place_in *p);
void log_place_save(const struct log_place_in *p, struct pv_buf *out); /* "api 1795287600123456789 1 0 0" */
int log_place_restore(struct log_place_in *p, const char *text);       /* -EBADMSG: no such text */

#endif
