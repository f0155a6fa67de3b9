/* roles.h - how the launcher hands descriptors to the roles, and what they say to each other. The role
 * programs lie beside the `pavise` command (build folder) or in /usr/lib/pavise. */
#ifndef PV_MODEL_ROLES_H
#define PV_MODEL_ROLES_H

#include <stdint.h>

/* Fixed descriptor numbers a role finds at its exec. 0 is /dev/null, 1 and 2 go to the log. */
enum role_fd {
	ROLE_FD_LAUNCHER = 3, /* SOCK_SEQPACKET to the launcher */
	ROLE_FD_POLICY = 4,   /* sealed memfd, struct policy (model/policy.h) */
	ROLE_FD_PEER = 5,     /* broker: to the engine; engine: to the broker; sender: to the engine */
	ROLE_FD_CONTROL = 6,  /* engine: the listening control socket */
	ROLE_FD_STATE = 7,    /* engine: the folder state_dir/engine; sender: memfd with the channels' secrets */
	ROLE_FD_SENDER = 8,   /* engine: its end towards the sender */
};

/* `pavise undo` without a guard: engine and broker, started by the command, find each other here. */
#define ROLE_FD_UNDO 3

/* launcher -> role: one struct, at most one descriptor with it (SCM_RIGHTS). */
enum launch_op {
	LAUNCH_POLICY = 1, /* a new sealed policy (reload): broker and engine */
	LAUNCH_PEER = 2,   /* a fresh socket to a new engine: broker */
	LAUNCH_POLICY_FAILED = 3, /* engine: the reload was refused, the old policy holds; the descriptor is a sealed
				   * memfd with the error lines */
	LAUNCH_ROLE_DYING = 4,	  /* engine: `role` died three times within a minute; no descriptor */
	LAUNCH_RULES = 5,	  /* engine: a sealed memfd with the compiled rules for logs (logs/logs.h, logs_load()) */
};
enum launch_role { LAUNCH_BROKER = 1, LAUNCH_ENGINE = 2, LAUNCH_SENDER = 3 };
struct launch_msg {
	uint32_t op;
	uint32_t role; /* enum launch_role, LAUNCH_ROLE_DYING only; else 0 */
};

/* role -> launcher: one byte. */
#define LAUNCH_READY	    'Y' /* this role is up */
#define LAUNCH_WANT_SENDER  'S' /* engine: start the sender if it does not run */
#define LAUNCH_WANT_RELOAD  'R' /* engine: read the configuration again */
#define LAUNCH_WANT_CAPTURE 'C' /* broker: run pavise-collector (model/capture.h): socket, order and, where it is not gone, cgroup */
#define LAUNCH_WANT_SWARM   'W' /* broker: run pavise-swarm (broker/swarm.h) with the four descriptors that come along */

/* Exit status of a role that must not be started again at once: usage, broken installation. */
#define ROLE_EXIT_CONFIG 78 /* EX_CONFIG */

/* What lies in the sender's ROLE_FD_STATE: one secret for each channel of the policy, by its index; len 0: none.
 * The bytes of secret_file as they are (at most ROLE_SECRET; a file that is longer is refused); the sender takes a
 * line end off. */
#define ROLE_SECRET 512
struct role_secrets {
	struct role_secret {
		uint32_t len;
		uint8_t data[ROLE_SECRET];
	} channels[16]; /* POLICY_CHANNELS */
};

/* Where these users do not exist (run from the build folder), the roles take unowned ids of the range that systemd
 * keeps for such users (61184-65519): ROLE_UID_FIRST for the engine, the next for the sender, and so on. */
#define ROLE_UID_FIRST	 63136
#define ROLE_UID_LAST	 65519
#define ROLE_USER	 "pavise"
#define ROLE_USER_SENDER "pavise-send"
#define ROLE_GROUP_ADMIN "pavise-admin"

#endif
