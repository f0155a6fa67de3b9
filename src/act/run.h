/* run.h - carries a plan out, one request after the other, with the clock passed in. Pure: it says what it wants next
 * (a request to the broker, a look at the cgroup, a pause) and is told how that went.
 *
 * dockerd changes a running container in two steps and puts the restart policy back when the second one fails (daemon/update.go), as it
 * does when the container is killed meanwhile. So where the change was refused it is asked for again when the cgroup is empty, and where its
 * answer did not come, twice, ACT_SETTLE_US apart. */
#ifndef PV_ACT_RUN_H
#define PV_ACT_RUN_H

#include "act/plan.h"

enum act_want {
	ACT_WANT_REQUEST, /* send *ret_req; come back with its result */
	ACT_WANT_LOOK,	  /* look whether the cgroup is empty; come back with 1, 0, or -ENODEV (gone: empty) */
	ACT_WANT_PAUSE,	  /* come back with 0 at *ret_until_us */
	ACT_WANT_NOTHING, /* over: run->result */
};

struct act_run {
	struct act_plan plan;
	size_t step;
	enum act_want last;
	enum act_step_kind asked;
	uint64_t deadline_us; /* of the wait for an empty cgroup */
	bool restart_changed; /* ACT_RESTART_OFF went through, or may have: undo has something to take back */
	unsigned settles;     /* requests for the restart policy that are still to be made when it is over */
	bool settling;
	bool forced;	      /* cgroup.kill had to help */
	bool acted;	      /* a request that ends or freezes it went through, or may have; else it ended by itself */
	uint64_t scaled_from; /* replicas before ACT_SCALE_ZERO; UINT64_MAX: global */
	bool scaled;
	int result;	      /* 0: done and proven; else why not */
};

void act_run_start(struct act_run *run, const struct act_plan *plan);
/* The same workload once more, after -EDQUOT: what the first try changed already stays known, its old values above all. */
void act_run_again(struct act_run *run, const struct act_plan *plan);
/* `result` is what came of the last want (ignored at the first call): 0 or 1, or a negative errno. -ESRCH and
 * -ENOENT of a request mean that it was gone already, -EALREADY that it had ended. `value` is the broker's value of a request. */
enum act_want act_run_next(struct act_run *run, int result, uint64_t value, uint64_t now_us, struct broker_req *ret_req,
			   uint64_t *ret_until_us);

#define ACT_SETTLE_US	  ((uint64_t) 3000000)
#define ACT_EMPTY_WAIT_US ((uint64_t) 3000000)	/* after the API's kill; a stop has its own 5 s and then this */
#define ACT_LOOK_EVERY_US ((uint64_t) 50000)

#endif
