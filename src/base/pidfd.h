/* pidfd.h - processes by descriptor (pidfd_open(2), Linux 5.3; pidfd_send_signal(2), 5.1).
 *
 * glibc has both by name since 2.36 only. By number a program built on Debian 12 runs where glibc is 2.34: Ubuntu 22.04. */
#ifndef PV_BASE_PIDFD_H
#define PV_BASE_PIDFD_H

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* A descriptor (close on exec), or -1 with errno. */
static inline int pv_pidfd_open(pid_t pid)
{
	return (int) syscall(SYS_pidfd_open, pid, 0);
}

/* 0, or -1 with errno. */
static inline int pv_pidfd_signal(int fd, int sig)
{
	return (int) syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

#endif
