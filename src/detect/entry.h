/* entry.h - what a container's owner lets it start: its entrypoint and command, its health check, as the Engine API told them
 * (container_info.entry, .health). Pure. Command lines have a NUL behind each word, and may be cut at PV_EXEC_ARGV octets. */
#ifndef PV_DETECT_ENTRY_H
#define PV_DETECT_ENTRY_H

#include "model/workload.h"

/* A shell whose line is the container's own command, or the end of it: a wrapper (an init, a program that sets the environment) is given
 * it as its last words. `script`: it was started through #!, so that the interpreter stands before it. A line that says no more than
 * `sh -i` is never one: what such a shell runs stands nowhere. */
bool entry_is_own(const struct container_info *info, const char *argv, size_t len, bool script);

/* The line of the container's health check. */
bool entry_is_health(const struct container_info *info, const char *argv, size_t len);

#endif
