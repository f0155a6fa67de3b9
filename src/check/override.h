/* override.h - a Compose file that is laid over another one and mends what can be mended without knowing the program: written
 * from what the audit found, from what the running container did so far, and from tables (which paths hold nothing to
 * keep, which way of starting needs which capabilities). What cannot be known is left out and named, never guessed. Pure:
 * text in, text out. */
#ifndef PV_CHECK_OVERRIDE_H
#define PV_CHECK_OVERRIDE_H

#include "check/check.h"
#include "check/usage.h"

#define OVERRIDE_MARK "# Written by pavise audit --fix --compose."

struct override_path {
	const char *path;
	bool added; /* the image has nothing there */
};

/* What was seen of the service while it ran. */
struct override_seen {
	bool runs;
	struct ctr_usage use;
	bool use_known;
	const char *user;	     /* it starts as; "": root */
	const char *const *start;    /* entrypoint and command, word by word */
	size_t n_start;
	bool low_port;		     /* it listens below 1024 */
	bool watched;		     /* it started while pavise-caps looked on, */
	uint64_t caps;		     /* and was granted these, a bit each */
	const struct override_path *written; /* what differs from the image, absolute; a folder before what lies below it */
	size_t n_written;
	bool written_known;
	/* Owner and mode of a folder as it is in the container: 0, or -errno when that cannot be seen. NULL: never. */
	int (*owner)(void *user, const char *path, unsigned *ret_uid, unsigned *ret_gid, unsigned *ret_mode);
	void *owner_user;
	const char *const *volumes;  /* targets of its mounts: what lies there is kept */
	size_t n_volumes;
};

/* --- tables --- */
/* A path whose content nobody misses: temporary files, caches, pid files and sockets. Returns how much of it names the
 * folder of the table ("/var/cache" for what lies below it), 0: it is none of those. */
size_t override_throwaway(const char *path, const char **ret_options);
/* Capabilities to add back after dropping all, "CHOWN, SETGID, SETUID"; "" for none; NULL: this way of starting is not in
 * the table, and nobody watched. Else what the table says, and what was seen. */
const char *override_caps(struct arena *a, const struct override_seen *seen);

/* Folders to make writable, each once, none below another: tmpfs where the table knows them, else a volume. A folder that
 * the image has is never hidden by one above it: what it holds may be needed. */
struct override_place {
	const char *path, *options; /* options NULL: a volume */
};
size_t override_places(struct arena *a, const struct override_seen *seen, struct override_place *out, size_t max);
/* Whether all can be mounted: the container chose the names, and a colon ends one there, Compose fills in what follows a
 * dollar sign. */
bool override_places_plain(const struct override_place *place, size_t n);

/* Limits that fit what it used, or the policy's where that is not known. */
struct override_limits {
	uint64_t pids, mib, milli; /* tasks, MiB, thousandths of a core */
};
void override_limits(const struct override_seen *seen, const struct check_policy *p, struct override_limits *ret);

/* `pavise_web_var_lib_x`: one volume for one place of one service or container. */
void override_volume_name(struct pv_buf *out, const char *service, const char *path);
/* Appends ",uid=33,gid=33,mode=755": an empty tmpfs belongs to root, and who may write into the image's folder must be able
 * to write into it, too. */
void override_tmpfs_owner(const struct override_seen *seen, const char *path, struct pv_buf *out);

/* The lines of one service, two levels in; `l` holds the findings about it. Nothing is written when nothing is to be mended
 * (returns 0), else returns 1. Names of volumes are appended to `volumes`, a line each. */
int override_service(struct arena *a, const struct ctr *c, const struct override_seen *seen, const struct check_policy *p,
		     const struct finding_list *l, struct pv_buf *out, struct pv_buf *volumes);

#endif
