/* cgroups.h - containers' cgroups by their 64-bit id: opened, ended, frozen. Never by a path: those can be renamed. */
#ifndef PV_BROKER_CGROUPS_H
#define PV_BROKER_CGROUPS_H

#include "broker/requests.h"

struct cgroups {
	int root_fd;	   /* the watched root's folder; borrowed */
	char root[4096];   /* its path, as the kernel tells it */
	char mount[4096];  /* the v2 mount it lies on */
	char own[4096];	   /* the cgroup of this process, below the mount */
};

/* 0 or negative errno. */
int cgroups_init(struct cgroups *c, int root_fd);
/* Any cgroup below the watched root; `path` gets its whole path. -ESRCH: gone; -EPERM: not below it. */
int cgroups_open(const struct cgroups *c, uint64_t id, char *path, size_t size, int *ret_fd);
/* A container's own cgroup, and not one that this process lives in. -EPERM: it is none. */
int cgroups_open_container(const struct cgroups *c, uint64_t id, struct broker_cgroup *ret);
/* Every process in it and below. 0, also when none was left; negative errno. */
int cgroups_kill(const struct cgroups *c, const struct broker_cgroup *cg);
int cgroups_freeze(const struct broker_cgroup *cg, bool freeze);
/* A descriptor of some process in it or below. -ESRCH: there is none. */
int cgroups_some_process(const struct cgroups *c, const struct broker_cgroup *cg, int *ret_pidfd);
/* The text of a process's /proc/PID/cgroup: it is one of a container or of an image build. */
bool cgroups_of_container(const char *proc_cgroup);

#endif
