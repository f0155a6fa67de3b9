/* cmd.h - the command line: one table of subcommands (table.c), from which --help, the man page and the completions
 * are made, and what the subcommands share. Results go to standard output, everything else to standard error. */
#ifndef PV_CMD_CMD_H
#define PV_CMD_CMD_H

#include <sys/types.h>

#include "base/buf.h"
#include "model/policy.h"
#include "report/words.h"

enum cmd_exit {
	CMD_OK = 0,
	CMD_FINDING = 1,    /* something that should be mended */
	CMD_USAGE = 2,	    /* usage or configuration */
	CMD_INCOMPLETE = 3, /* something could not be checked, or the guard does not run */
};

struct cmd_option {
	const char *name; /* "since" for --since */
	char letter;	  /* 0: none */
	const char *arg;  /* NULL: takes none; "FILE", "DURATION" */
	const char *help;
	const char *values; /* for completion, space between; NULL: any */
};

#define CMD_WORDS   256
#define CMD_OPTIONS 32

struct command;

struct cmd {
	const struct command *command;
	const char *word[CMD_WORDS]; /* what is no option */
	size_t n_words;
	const char *value[CMD_OPTIONS]; /* of the command's options in their order; "" for a flag; NULL: not given */
	const char *config;		/* --config, or NULL */
	bool quiet, colour;
	const char *self; /* folder of the command itself */
};

struct command {
	const char *name;
	const char *args;  /* "NAME [SIGNAL]" */
	const char *brief; /* one line of the list */
	const char *about; /* paragraphs of --help and the man page */
	const struct cmd_option *options; /* ends with a NULL name; NULL: none */
	size_t min_words, max_words;
	const char *words;    /* what the first word may be, for completion; NULL: anything */
	const char *statuses; /* what the exit status says here */
	const char *examples; /* lines `command  # what it does` */
	int (*run)(struct cmd *c); /* returns the exit status */
	bool hidden;
};

extern const struct command commands[];		  /* ends with a NULL name */
extern const struct cmd_option common_options[]; /* every command takes these */

const struct command *command_find(const char *name);
/* The value of --name: NULL when it was not given, "" for a flag. */
const char *cmd_opt(const struct cmd *c, const char *name);

/* --- help.c: three texts from one table --- */
void help_main(struct pv_buf *out);
void help_command(struct pv_buf *out, const struct command *c);
void help_exit_codes(struct pv_buf *out);
void help_man(struct pv_buf *out);
int help_completion(struct pv_buf *out, const char *shell); /* -EINVAL: not bash, zsh or fish */

/* --- say.c: what happened, where, and the next command --- */
void cmd_say(const char *fmt, ...) PV_PRINTF(1, 2);			  /* one line on standard error */
void cmd_fail(const char *what, const char *next_fmt, ...) PV_PRINTF(2, 3); /* `pavise: what`, `  next: ...` */
int cmd_write(const struct pv_buf *out); /* to standard output; CMD_OK or CMD_INCOMPLETE */
int cmd_output_to(const char *path);	 /* -o FILE: becomes standard output; 0 or -errno, said */
struct words_style cmd_style(const struct cmd *c);
void cmd_by_root(const struct cmd *c, struct pv_buf *out); /* this very command, all of it, as a line for the shell: `sudo pavise ...` */

/* --- child.c: programs beside the command (build folder) or in /usr/lib/pavise --- */
int child_path(const struct cmd *c, const char *name, char *out, size_t size); /* 0 or -ENOENT */
/* Runs it and waits; no shell, standard input /dev/null. `fd3` (or -1) is passed as descriptor 3, the descriptors of
 * `keep` as they are. `out`, `err` (NULL: inherited) collect at most 1 MiB each, or their own cap. Returns the exit status (128 + signal),
 * or -errno. */
struct child_io {
	int fd3;
	const int *keep;
	size_t n_keep;
	struct pv_buf *out, *err;
	const char *const *env; /* NULL: none */
};
int child_run(const char *const argv[], const struct child_io *io);
/* The same in two steps, for one that another child talks to. `io` without `out` and `err`. */
int child_start(const char *const argv[], const struct child_io *io, pid_t *ret);
int child_wait(pid_t pid);
/* Where a child keeps compiled rules: $XDG_CACHE_HOME/pavise, /var/cache/pavise, ~/.cache/pavise. false: nowhere; without a folder
 * of one's own nothing is cached, which costs half a second, not more. */
bool child_cache(char *out, size_t size);

/* --- load.c: the configuration, read by the policy child --- */
/* Messages go to standard error. 0, or -EINVAL (said). *ret lives until the command ends. */
int load_policy(const struct cmd *c, const struct policy **ret);
/* For what must work with a broken configuration: falls back to the defaults, and says so. */
const struct policy *load_policy_or_defaults(const struct cmd *c);
struct conf_files;
/* `--show`, and the check of files that are already open: runs the policy child over them. `args` (may be NULL) are its
 * options. Returns its exit status or -errno. */
int load_run_child(const struct cmd *c, const char *const *args, const struct conf_files *files, int fd3,
		   struct pv_buf *out, struct pv_buf *err);

/* --- ask.c: the control socket --- */
struct ask; /* a connection */
/* -ENOENT, -ECONNREFUSED: the guard does not run; -EACCES. Says nothing. */
int ask_open(const struct policy *p, struct ask **ret);
struct ask *ask_free(struct ask *a);
PV_AUTO(ask)
/* How long the guard may take for anything: 5 s unless set; 0: no end. The launcher keeps the socket open while a dead
 * engine is started again, so that a connection alone says nothing. */
#define ASK_READ_S 5
#define ASK_ACT_S  30 /* an undo asks Docker, a reload starts the policy child */
void ask_patience(struct ask *a, unsigned seconds);
void ask_explain(const struct cmd *c, const struct policy *p, int r); /* says why ask_open() failed, and the next command */
/* Root gives up everything before it reads what the engine (an unprivileged process) answers. */
void ask_confine(void);
struct cJSON;
/* Sends one request line; each answer line but the last goes to `fn` (NULL: ignored), which returns non-zero to stop.
 * 0: the last line said ok (it is stored in *ret_last when that is not NULL: cJSON_Delete() it); -EREMOTEIO: it said
 * no, which has been said; other negative errno: the connection failed (said). */
int ask(struct ask *a, const char *request, int (*fn)(const struct cJSON *line, void *arg), void *arg, struct cJSON **ret_last);
/* The same for the one line that a child wrote in the guard's stead. */
int ask_said(const struct pv_buf *said, struct cJSON **ret_last);
/* load_policy() and ask_open(), and says what went wrong: an exit status, *ret is set with CMD_OK. */
int ask_guard(struct cmd *c, struct ask **ret);
/* ask_guard(), confine, ask(). Returns an exit status. */
int ask_simple(struct cmd *c, const char *request, unsigned seconds, struct cJSON **ret_last);

/* Text and numbers of an answer, whatever is in it. */
const char *json_text(const struct cJSON *o, const char *key); /* "" when absent */
uint64_t json_u64(const struct cJSON *o, const char *key);
bool json_true(const struct cJSON *o, const char *key);
int notice_read(const struct cJSON *line, struct notice *ret); /* 0 or -EBADMSG */
int time_read(const char *rfc3339, uint64_t *ret_us);

/* --- one file each --- */
int cmd_guard(struct cmd *c);
int cmd_status(struct cmd *c);
int cmd_top(struct cmd *c);
int cmd_events(struct cmd *c);
int cmd_off(struct cmd *c);
int cmd_on(struct cmd *c);
int cmd_allow(struct cmd *c);
int cmd_undo(struct cmd *c);
int cmd_ban(struct cmd *c);
int cmd_unban(struct cmd *c);
int cmd_bans(struct cmd *c);
int bans_import(struct cmd *c);
int cmd_doctor(struct cmd *c);
int cmd_explain(struct cmd *c);
int cmd_config(struct cmd *c);
int cmd_audit(struct cmd *c);
int cmd_accept(struct cmd *c);
int cmd_scan(struct cmd *c);
int cmd_logs(struct cmd *c);
int cmd_version(struct cmd *c);
int cmd_help(struct cmd *c);
int cmd_man(struct cmd *c);
int cmd_completion(struct cmd *c);

#endif
