/* capture.h - what engine and collector say to each other over one SOCK_SEQPACKET socket, which the broker makes for one
 * capture (BROKER_CAPTURE) and the launcher hands to a fresh pavise-collector.
 *
 *   engine -> collector   one capture_job, then any number of capture_part; shutdown(2) of its side: that was all
 *   collector -> engine   one CAPTURE_HELD as soon as everything that an act would destroy is held open, then one CAPTURE_DONE
 *
 * The collector looks at the processes of the cgroup that the broker opened, and at nothing else; the job's words are
 * hints from an unprivileged role: paths are opened inside the container's own root, names are checked. */
#ifndef PV_MODEL_CAPTURE_H
#define PV_MODEL_CAPTURE_H

#include <stdint.h>

#define CAPTURE_TIME_US	 ((uint64_t) 2000000) /* for everything; what is not done then stands in `missing` */
#define CAPTURE_PROCS	 256
#define CAPTURE_PATHS	 2
#define CAPTURE_PATH	 512
#define CAPTURE_NAME	 64 /* 20261128T190211Z-exec.dropped-8f3a */
#define CAPTURE_PART_MAX (32u << 10)
#define CAPTURE_DIGESTS	 64
#define CAPTURE_WORDS	 160 /* no longer than a value of a notice's evidence */

enum capture_what {
	CAPTURE_EVIDENCE = 1, /* a bundle below evidence/ */
	/* Looks at one running program. Killed is what is not as the image has it although length and place agree
	 * (`compare`), or what is byte for byte a program of `bad` and not what the image has under its name; as often as the
	 * broker allows. */
	CAPTURE_JUDGE = 2,
};

struct capture_job {
	uint32_t what;	  /* enum capture_what */
	uint32_t pid;	  /* whose program it is about; 0: none */
	uint32_t dev;	  /* its file, major << 20 | minor as in event_exec; ino 0: not known */
	uint8_t dead;	  /* the kernel ended it before its first instruction */
	uint8_t may_kill; /* CAPTURE_JUDGE; 0: only looked at */
	uint8_t compare;  /* CAPTURE_JUDGE: with the image's file */
	uint8_t n_bad;	  /* CAPTURE_JUDGE: how many of `bad` */
	uint64_t ino;
	struct capture_parent { /* who had started it, as the kernel told; pid 0: no more */
		uint32_t pid;
		char comm[20];
	} chain[6];
	char name[CAPTURE_NAME];		 /* of the folder below evidence/ */
	char paths[CAPTURE_PATHS][CAPTURE_PATH]; /* files of the container to take; may be empty */
	uint8_t bad[CAPTURE_DIGESTS][32];	 /* SHA-256 of programs that were refused before */
};

/* A text of the engine's, stored as it is. Several with one number are one text. */
enum capture_part_is { CAPTURE_EVENT = 1, CAPTURE_CONTAINER = 2, CAPTURE_LOG = 3, CAPTURE_N_PARTS };
struct capture_part {
	uint32_t is;  /* enum capture_part_is */
	uint32_t len; /* octets of `text` that follow */
	char text[CAPTURE_PART_MAX];
};

enum capture_says { CAPTURE_HELD = 1, CAPTURE_DONE = 2 };
struct capture_result {
	uint32_t says;				     /* enum capture_says */
	int32_t result;				     /* CAPTURE_DONE: 0 or negative errno */
	uint32_t files, missing;		     /* of the manifest */
	uint64_t bytes;				     /* that were taken */
	uint8_t sha256[32];			     /* of the program in question; zero: it could not be read */
	uint8_t has_digest, differs, is_bad, killed; /* CAPTURE_JUDGE */
	uint8_t spared;				     /* CAPTURE_JUDGE: it was to be killed, and the broker allowed no more */
	uint8_t pad[3];
	char found[CAPTURE_WORDS]; /* "5 processes, 2 programs, 3 sockets, 1 file" */
	char lacks[CAPTURE_WORDS]; /* what stands in `missing`, in short */
};

/* What the broker adds, of its own knowledge, on the socket COLLECTOR_FD_ORDER. Before a program is killed one byte goes back
 * there, and a byte comes: 1 it may be, 0 the limit is used up. */
struct capture_order {
	char id[65]; /* container, 64 hex digits */
	char pad[7];
	char cgroup[512]; /* path below the cgroup2 mount, for comparisons; empty: it is gone */
};

/* Descriptors of pavise-collector. 0 is /dev/null, 1 and 2 go to the log. */
enum collector_fd {
	COLLECTOR_FD_ENGINE = 3,
	COLLECTOR_FD_EVIDENCE = 4, /* the folder state_dir/evidence */
	COLLECTOR_FD_ORDER = 5,	   /* socket to the broker: one capture_order, and the question above */
	COLLECTOR_FD_CGROUP = 6,   /* the cgroup's folder; not open where it is gone */
};

#endif
