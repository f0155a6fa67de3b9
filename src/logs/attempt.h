/* attempt.h - which lines tell one and the same refused login. sshd writes up to four lines for one, through PAM and by itself,
 * and each may be read twice, from the journal and from a file.
 *
 * Lines belong together by a key: service, session or pid, address. Within a key each phase (rule.h) is counted by itself, and
 * the n-th line of every phase is the n-th attempt. So the number of attempts is that of the phase with most lines, whichever
 * of them a source carries; and two sources that carry the same lines name the same attempts, since the number is made of the
 * key, the ten minutes in which it was first seen, and n. Bounded: the longest unused of four slots gives way. */
#ifndef PV_LOGS_ATTEMPT_H
#define PV_LOGS_ATTEMPT_H

#include "match/rule.h"

struct attempts;
int attempts_new(struct attempts **ret);
struct attempts *attempts_free(struct attempts *a);
PV_AUTO(attempts)

/* The attempt that this line tells; never 0. `key`: any hash that is the same for all lines that belong together. */
uint64_t attempts_next(struct attempts *a, uint64_t key, enum rule_phase phase, uint64_t time_us);

uint64_t attempt_mix(uint64_t a, uint64_t b);

#endif
