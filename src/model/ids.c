#include "model/ids.h"

#include <string.h>

#include "base/util.h"

static const struct id_info ids[ID_N] = {
#define ID(sym, name_, severity_, title_, why_, attack_, mend_)                                    \
	[ID_##sym] = { .name = name_, .severity = severity_, .title = title_, .why = why_,         \
		       .attack = attack_, .mend = mend_ },
#include "model/ids.def"
#undef ID
};

const struct id_info *id_info(enum id id)
{
	return (unsigned) id < ID_N ? &ids[id] : NULL;
}

int id_parse(const char *name, enum id *ret)
{
	for (unsigned i = 0; i < ID_N; i++)
		if (strcmp(name, ids[i].name) == 0) {
			*ret = (enum id) i;
			return 0;
		}
	return -EINVAL;
}
