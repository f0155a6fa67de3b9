/* verdict.h - this calls for that act, with the numbers that led to it. Pure output of detect/. */
#ifndef PV_MODEL_VERDICT_H
#define PV_MODEL_VERDICT_H

#include <stdint.h>

#include "model/action.h"
#include "model/ids.h"

struct verdict {
	enum id id;
	/* ID_RUN_RESPAWN only: what its kind was ended for before, and whether it was a chain then (cause_chain). Its exceptions and its
	 * action count. */
	enum id cause;
	/* cpu only (detect/succession.h): so many containers used it one after the other; 0: it alone. They are those of its service,
	 * or of its image (chain_image); `mixed`: of an image under several services' names; `restarts`: its engine starts them again and again. */
	uint32_t chain;
	enum pv_action action; /* as far as the signal alone goes; exceptions and classes are applied by act/ */
	uint64_t cgroup;
	uint64_t now_us; /* the clock it was decided with */
	uint64_t value, limit; /* in the unit of the signal: permyriad of a core, bytes, processes, tasks */
	uint64_t window_us;    /* over which `value` was measured; 0 if it is an instant */
	uint64_t pressure;     /* cpu only: permyriad of the window that the workload stood waiting for a core */
	uint8_t warning;       /* half way there: told, nothing done */
	uint8_t tasks;	       /* pids only: value and limit count tasks (threads too), not processes */
	uint8_t chain_image, mixed, restarts, cause_chain;
};

#endif
