/* apt_conf.h - a setting of apt: the syntax of apt.conf(5) (blocks, `::`, comments, #clear), read for one name. Pure. */
#ifndef PV_CHECK_APT_CONF_H
#define PV_CHECK_APT_CONF_H

#include "base/util.h"

#define APT_VALUE 64

/* What a file says last about `name` ("APT::Periodic::Enable", without case), cut to APT_VALUE; "" after #clear. false: nothing,
 * *ret is as it was. */
bool apt_conf_value(const char *text, const char *name, char ret[APT_VALUE]);
/* Whether apt reads a file of this name in apt.conf.d: letters, digits, - and _, no ending but .conf. */
bool apt_conf_part(const char *name);

#endif
