/* conf_value.h - one value of the configuration from its text into its place in the policy. Internal to conf*.c. */
#ifndef PV_MODEL_CONF_VALUE_H
#define PV_MODEL_CONF_VALUE_H

#include "model/conf.h"

/* A key with one value (MODE ... COUNT). 0, or -EINVAL with `what is wrong, what would be right` in `why`. */
int conf_set_scalar(struct policy *p, const struct conf_item *item, const char *text, struct pv_buf *why);
/* Lists of words (PORTS, PREFIXES, NAMES): empty it, then add one after the other. */
void conf_list_clear(struct policy *p, const struct conf_item *item);
int conf_list_add(struct policy *p, const struct conf_item *item, const char *text, struct pv_buf *why);
bool conf_is_list(const struct conf_item *item); /* of words */
bool conf_is_map_list(const struct conf_item *item); /* FILES, CHANNELS, EXCEPTIONS: conf_read.c */

int conf_set_path(char out[POLICY_PATH], const char *text, struct pv_buf *why);
/* `name` may be NULL: made from the URL. */
int conf_set_channel_url(struct policy_channel *c, const char *url, struct pv_buf *why);
/* A service as its rule file is named: 1 to 31 lower-case letters, digits and hyphens. */
int conf_set_service(char out[32], const char *text, struct pv_buf *why);
int conf_check_pattern(const char *text, struct pv_buf *why);

/* The value as it would be written, for `config show` (lists in flow style, words quoted where needed). */
void conf_print(struct pv_buf *out, const struct policy *p, const struct conf_item *item);
/* What a value of this type looks like, with its bounds: "a percentage from 1% to 100%". */
void conf_expect(struct pv_buf *out, const struct conf_item *item);

#endif
