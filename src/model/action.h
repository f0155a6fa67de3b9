/* action.h - the signals and what may be done about them. */
#ifndef PV_MODEL_ACTION_H
#define PV_MODEL_ACTION_H

enum pv_action { /* values appear in BPF maps: never renumber */
	ACTION_IGNORE = 0,
	ACTION_ALERT = 1,
	ACTION_BLOCK = 2,
	ACTION_KILL = 3,
	ACTION_STOP = 4,
	ACTION_FREEZE = 5,
	ACTION_BAN = 6, /* an address, for a while: logins only */
	ACTION_AUTO = 7, /* exec: what is sure to be wrong is blocked, the rest is told */
	ACTION_N
};

enum pv_signal { SIGNAL_CPU, SIGNAL_MEMORY, SIGNAL_PIDS, SIGNAL_NET, SIGNAL_DNS, SIGNAL_LOGIN, SIGNAL_EXEC, SIGNAL_N };

const char *action_name(enum pv_action a);		/* "block" */
int action_parse(const char *s, enum pv_action *ret);	/* 0 or -EINVAL */
const char *signal_name(enum pv_signal s);		/* "cpu": the key in the configuration */
int signal_parse(const char *s, enum pv_signal *ret);	/* 0 or -EINVAL */
/* Whether this signal can be answered so (cpu: ignore alert kill stop freeze; net: ignore alert block ...). */
int signal_takes(enum pv_signal s, enum pv_action a);

#endif
