/* confine.h - what pavise-audit gives up before it reads the first byte: writing, the network, starting programs, and whose it
 * is; of root's powers it keeps the one to read. */
#ifndef PV_CHECK_CHILD_CONFINE_H
#define PV_CHECK_CHILD_CONFINE_H

int audit_confine(void); /* 0 or -errno: then it ends */

#endif
