/* pools.h - the list of pools and resolvers (rules/ioc/pools.yaml) and the one that the owner may put in its place. */
#ifndef PV_POLICY_CHILD_POOLS_H
#define PV_POLICY_CHILD_POOLS_H

#include "base/buf.h"
#include "model/policy.h"

struct pool_file { /* text NULL: there is none */
	const char *name, *text;
	size_t len;
	const char *trouble; /* there is one, but it cannot be read: why. NULL: nothing of the kind */
};

/* Fills p->pool and the names into p->dns.table, which is compiled already. `own` is used in place of `shipped` where it is
 * signed (`own_sig`) by the key of net.pool_key and no older than `shipped` and than `present`, the version in force before
 * (0: none). Else p->pool.refused and one line in `notes` say why not. 0; -EINVAL: `shipped` is no good; -ESTALE: `own` is refused although a list
 * newer than `shipped` is in force: whoever keeps the old policy keeps that list. `err` says why. */
int pools_take(struct policy *p, const struct pool_file *shipped, const struct pool_file *own, const struct pool_file *own_sig,
	       uint64_t present, struct pv_buf *err, struct pv_buf *notes);

#endif
