/* script.h - which script an interpreter was given, and whether it lies where everybody may leave one. Pure. */
#ifndef PV_DETECT_SCRIPT_H
#define PV_DETECT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* `argv`: `len` octets, NUL-separated, the interpreter's own name first (a shell, python3, perl ...; `#!` scripts are started so by the
 * kernel). The script is the first word that is no option; behind a shell's -c and the others' -c, -e, -E,
 * -m and -p stands code. Its path is put together with
 * `folder` (where the process works; "" if that is not known and for an absolute one), its `.`, `..` and double slashes resolved by the
 * words alone, and what leads through /proc/PID/root taken away; links are not followed.
 * True when it lies below /tmp, /var/tmp, /dev/shm, /run/shm, or, `open` (everybody may write to `folder`), when its name is relative and
 * does not leave `folder`. The path is then in `out`, NUL-terminated and perhaps cut. */
bool script_is_temporary(const char *argv, size_t len, const char *folder, bool open, char *out, size_t size);

#endif
