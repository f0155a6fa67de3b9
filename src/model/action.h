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

/* Every signal, with its key in the configuration. */
#define SIGNALS(X)           \
	X(CPU, "cpu")       \
	X(MEMORY, "memory") \
	X(PIDS, "pids")     \
	X(NET, "net")       \
	X(DNS, "dns")       \
	X(LOGIN, "login")   \
	X(EXEC, "exec")

#define SIGNAL_SYMBOL(symbol, name) SIGNAL_##symbol,
enum pv_signal { SIGNALS(SIGNAL_SYMBOL) SIGNAL_N };

#define SIGNAL_COMMA(symbol, name) name ", "
#define SIGNAL_LIST SIGNALS(SIGNAL_COMMA) "or all" /* what `signal` takes, in words */

const char *action_name(enum pv_action a);		/* "block" */
int action_parse(const char *s, enum pv_action *ret);	/* 0 or -EINVAL */
const char *signal_name(enum pv_signal s);		/* "cpu": the key in the configuration */
int signal_parse(const char *s, enum pv_signal *ret);	/* 0 or -EINVAL */
/* Whether this signal can be answered so (cpu: ignore alert kill stop freeze; net: ignore alert block ...). */
int signal_takes(enum pv_signal s, enum pv_action a);

#endif
