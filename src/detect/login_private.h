/* login_private.h - inside detect/login*.c: the table of addresses, and what stands around it. */
#ifndef PV_DETECT_LOGIN_PRIVATE_H
#define PV_DETECT_LOGIN_PRIVATE_H

#include "base/clock.h"
#include "detect/login.h"

/* One counted attempt. Time in milliseconds, modulo 2^32: compared with the slot's newest only, which is at most a day
 * away. */
struct login_entry {
	uint32_t ms;
	uint32_t attempt; /* hash of service and attempt; 0: one of its own */
	/* Three in one word: there are a million of these. */
	uint32_t text : 21; /* number in the ring of texts, its lower bits: the time must be the same, too */
	uint32_t source : 10; /* place in the list of sources */
	uint32_t container : 1;
};
_Static_assert(sizeof(struct login_entry) == 12, "100,000 addresses within 30 MB");
#define TEXT_MASK ((1u << 21) - 1)

#define LOGIN_SPANS 12 /* of two hours: the day of the slow window */
#define LOGIN_SPAN_US (2 * USEC_PER_HOUR)
#define LOGIN_PARTS 10 /* of the weak window */

struct login_slot {
	uint8_t key[16]; /* masked to its network */
	uint64_t newest_us;
	uint32_t accept_s; /* got through; 0: never */
	uint32_t tipped_s; /* answered LOGIN_BAN */
	uint32_t told_s, told_from_s; /* told of what may not ban; start of its window */
	uint32_t span;	   /* of spans[0], newest */
	uint32_t part;	   /* of weak[0], newest */
	uint32_t weak_ms;  /* the last weak one */
	uint32_t gap_ms, gap_off_ms; /* its usual distance, and how far from even it is */
	uint32_t user;	   /* hash of the last user that was refused */
	uint32_t other_attempt;
	uint16_t others;   /* that may not ban, in their window */
	uint8_t used;
	uint8_t n;	   /* entries */
	uint8_t spans[LOGIN_SPANS];
	uint8_t weak[LOGIN_PARTS];
	struct login_entry entry[]; /* login_policy.limit of them, oldest first */
};

struct login_table {
	uint64_t seed[2];
	size_t slot_size;
	uint32_t max;
	uint32_t n, allocated; /* live; with memory */
	uint8_t **chunks;      /* of CHUNK slots */
	uint32_t *index;       /* open addressing: place + 1; 0 free */
	uint32_t index_size;
	uint32_t *spare;       /* places that are free again */
	uint32_t n_spare, spare_room;
	uint64_t turn;	       /* of eviction */
	size_t bytes;
};

#define TEXTS	    4096 /* newest lines of all addresses, for evidence */
#define SOURCES	    1024
#define TARGETS	    4096
#define TARGET_BITS 512
#define TARGET_LOOKS 8
#define DAY_S	    86400u
#define HOUR_S	    3600u

struct text {
	uint32_t number;
	uint16_t source;
	uint64_t time_us, line;
	char text[LOGIN_TEXT];
};

/* One account at one service: who was refused there, as a set of bits (linear counting). */
struct target {
	uint64_t key; /* 0: free */
	uint32_t start_s, told_s;
	uint64_t bits[TARGET_BITS / 64];
};

struct login {
	struct login_policy policy;
	struct login_table table;
	struct text *texts;
	uint32_t text_number;
	char (*sources)[96];
	uint16_t n_sources, last_source;
	struct target *targets;
};

uint64_t login_hash(const uint64_t seed[2], const void *data, size_t len);

int login_table_init(struct login_table *t, const uint64_t seed[2], uint32_t limit, uint32_t max);
void login_table_done(struct login_table *t);
struct login_slot *login_table_find(const struct login_table *t, const uint8_t key[16]);
/* Found or made (zeroed but for the key); makes room by forgetting another. NULL: no memory. */
struct login_slot *login_table_take(struct login_table *t, const uint8_t key[16], uint64_t now_us);
void login_table_drop(struct login_table *t, struct login_slot *s);
/* All that are used: *at begins with 0. NULL: that was the last. */
struct login_slot *login_table_next(const struct login_table *t, uint32_t *at);

#endif
