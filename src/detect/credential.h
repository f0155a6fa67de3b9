/* credential.h - command lines that read what only their owner should: what a shell does next that somebody has broken into. Pure. */
#ifndef PV_DETECT_CREDENTIAL_H
#define PV_DETECT_CREDENTIAL_H

#include <stddef.h>

/* `argv` as in miner.h. What is named in it, in a few words ("the system's passwords"); NULL for nothing. Found are /etc/shadow, .env files,
 * authorized_keys and private SSH keys, keys of clouds and clusters, mounted secrets, environments in /proc, and the address at which
 * clouds hand out a machine's credentials. Only what the line says itself: a script that reads them is not seen. */
const char *credential_sign(const char *argv, size_t len);

#endif
