/* ids.h - every id that pavise can print, from one table (ids.def). Dotted names are never renamed once
 * released; the enum may be reordered. */
#ifndef PV_MODEL_IDS_H
#define PV_MODEL_IDS_H

#include "model/severity.h"

enum id {
#define ID(sym, name, severity, title, why, attack, mend) ID_##sym,
#include "model/ids.def"
#undef ID
	ID_N
};

struct id_info {
	const char *name;  /* "net.stratum" */
	enum severity severity;
	const char *title; /* one line, a sentence about the world: "connection to a mining port" */
	const char *why;   /* `explain`: why it matters and how it is decided */
	const char *attack; /* how it is attacked, or what an attack with it looks like */
	const char *mend;  /* what to do, with example commands */
};

const struct id_info *id_info(enum id id);
int id_parse(const char *name, enum id *ret); /* 0 or -EINVAL; takes aliases too */

#endif
