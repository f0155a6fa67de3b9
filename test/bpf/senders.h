/* senders.h - the ways in which a program can reach for an address. Each runs in the calling process; returns how it went. */
#ifndef PV_TEST_SENDERS_H
#define PV_TEST_SENDERS_H

#include "lab.h"

enum outcome { WENT = 0 /* connected, answered */, REFUSED = 1 /* EPERM */, SILENT = 2 /* no answer */, BROKEN = 3, CANNOT = 4 };

enum way { BY_CONNECT, BY_FASTOPEN, BY_URING_CONNECT, BY_RAW_SYN,		  /* TCP */
	   BY_SENDTO, BY_CONNECTED, BY_SENDMMSG, BY_URING_SENDMSG, BY_RAW_UDP, BY_GSO, BY_UDPLITE /* a datagram */,
	   BY_TCP, BY_TCP_BYTES, BY_TCP_SPLIT, BY_TCP_PIPELINED, BY_TCP_URGENT /* DNS over TCP */ };

struct job {
	enum way way;
	enum lab_addr addr;
	uint16_t port;
	const char *name; /* a question for it; NULL: four bytes */
	bool full;	  /* by connect, connected, tcp: fill_socket() before */
};

int send_job(void *job); /* for lab_in() */
bool fill_socket(int fd); /* no octet of memory for its options is left to this IPv6 socket */
const char *way_name(enum way w);
const char *outcome_name(int o);


#endif
