/* miner.h - command lines that only miners have. Pure. */
#ifndef PV_DETECT_MINER_H
#define PV_DETECT_MINER_H

#include <stddef.h>

/* `argv`: arguments with a NUL after each, as /proc/PID/cmdline has them (the last NUL may be missing). Returns what was
 * found in a few words ("a stratum URL"), NULL for nothing. Found are: URLs of the stratum protocol, options that no other
 * kind of program has, and a Monero address together with a pool's option. What somebody looks for with grep and the like,
 * or edits, is not. */
const char *miner_sign(const char *argv, size_t len);

#endif
