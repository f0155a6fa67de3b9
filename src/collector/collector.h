/* collector.h - pavise-collector: one capture of one container's state before an act destroys it, or one look at one program
 * (model/capture.h). Root with SYS_PTRACE and DAC_READ_SEARCH (and KILL, for a look), no network, killed after its time.
 *
 *   main.c     rights, messages, the order of things
 *   procs.c    the processes of the cgroup, their programs held open
 *   sockets.c  what they are connected to, by network namespace
 *   files.c    files of the container, by a live process's root, an open descriptor, or the overlay's upper folder
 *   overlay.c  where the upper folder and the image's layers lie
 *   bundle.c   the archive and its manifest; old ones go
 *   judge.c    one program against its image's file, and against known digests
 *
 * Everything that is read here was written by strangers: sizes are capped, links lead nowhere outside the container, and
 * nothing but a regular file is opened for reading. */
#ifndef PV_COLLECTOR_COLLECTOR_H
#define PV_COLLECTOR_COLLECTOR_H

#include <sys/types.h>

#include "base/buf.h"
#include "collector/bundle.h"
#include "model/capture.h"

/* ---- overlay.c ---- */
#define OVERLAY_LOWERS 8192
struct overlay {
	char upper[512];
	char lowers[OVERLAY_LOWERS]; /* each with its NUL, the topmost first; an empty one ends */
};
/* The options of the mount that is `/` in a /proc/PID/mountinfo. -ENODATA: it is no overlay. Paths that are relative lie below
 * docker_root/overlay2 (so Docker mounts many layers). */
int overlay_parse(const char *mountinfo, const char *docker_root, struct overlay *ret);
int overlay_of(int proc_dir, const char *docker_root, struct overlay *ret);
/* Of a container that has ended: Docker keeps which folder it had. Lowers stay empty. */
int overlay_of_dead(const char *docker_root, const char *id, struct overlay *ret);
/* A regular file of the container by its path in it; links stay inside. Upper: as written in the container; lower: as the
 * image has it. Negative: -ENOENT and others. */
int overlay_open_upper(const struct overlay *o, const char *path);
int overlay_open_lower(const struct overlay *o, const char *path);

/* ---- procs.c ---- */
struct proc {
	pid_t pid, parent, inside; /* inside: in its innermost pid namespace */
	uid_t uid;
	char state;
	int dir; /* of /proc/PID: it stays this process's */
	char comm[20], exe[512];
	ino_t net;	       /* network namespace */
	int program;	       /* index into procs.programs; -1: it could not be opened */
	struct pv_buf command; /* masked */
};
struct program { /* an executable, once for all processes that run it */
	int fd;
	dev_t dev;
	ino_t ino;
	uint64_t size;
	char path[512]; /* as /proc/PID/exe says, " (deleted)" taken off */
	bool deleted, of_image;
	char taken[96]; /* its name in the bundle; empty: its digest only */
	bool hashed;
	uint8_t sha256[32];
};
struct procs {
	struct proc at[CAPTURE_PROCS];
	struct program programs[CAPTURE_PROCS];
	size_t n, n_programs, more; /* more: processes beyond CAPTURE_PROCS */
	struct overlay overlay;
	bool has_overlay;
};
/* The processes below the cgroup's folder whose own cgroup is `path` or below it. */
void procs_gather(struct procs *p, int cgroup_fd, const char *path, const char *docker_root);
void procs_done(struct procs *p);
void procs_json(const struct procs *p, struct pv_buf *out);
void programs_json(const struct procs *p, struct pv_buf *out);

/* ---- sockets.c ---- */
/* A line of JSON for the sockets of each network namespace; how many there are. */
size_t sockets_json(const struct procs *p, struct pv_buf *out);
/* One line of /proc/PID/net/{tcp,udp}[6]: local and remote as text, state, uid, inode. False: it is none. */
struct socket_line {
	char local[64], remote[64];
	unsigned state, uid;
	uint64_t inode;
};
bool sockets_line(const char *line, bool v6, struct socket_line *ret);

/* ---- files.c ---- */
struct taken_file {
	int fd; /* -1: could not be had */
	char path[CAPTURE_PATH];
	char origin[160]; /* how it was reached, for the manifest */
	char why[120];	  /* not had: why */
};
void file_find(const struct procs *p, const struct capture_job *job, const char *path, const char *docker_root, const char *id,
	       struct taken_file *ret);
/* A regular file below a root folder, links inside of it followed. Reading, not blocking. Negative errno; -ENOTSUP: no regular
 * file. */
int file_open_in(int root_fd, const char *path);
/* The file behind a descriptor that was opened with O_PATH, or a magic link of /proc. */
int file_open_at(int dir_fd, const char *name);

/* ---- judge.c ---- */
/* Among the job's digests, and not what the image has under that name (NULL: it has none). */
bool judge_is_bad(const struct capture_job *job, const uint8_t own[32], const uint8_t *image);
void judge(const struct capture_job *job, const struct capture_order *order, const char *docker_root, struct capture_result *ret);

#endif
