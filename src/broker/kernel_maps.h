/* kernel_maps.h - what user space writes into the programs' maps. The public half is in broker/kernel.h. */
#ifndef PV_BROKER_KERNEL_MAPS_H
#define PV_BROKER_KERNEL_MAPS_H

#include "broker/kernel_private.h"

int kernel_maps_root(struct kernel *k);	  /* the watched root's id into the settings */
int kernel_maps_prune(struct kernel *k);  /* entries of a broker before us that nobody has asked for again */
int kernel_maps_rest(const struct kernel *k, bool rests); /* the ingress hook, as the programs know it */
void kernel_maps_done(struct kernel *k);

/* Until when pins of other layouts were lifted, the latest of them; 0: they were not. For the first start with this layout. */
uint64_t kernel_off_of_others(const struct kernel *k);

#endif
