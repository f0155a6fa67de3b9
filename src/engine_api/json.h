/* json.h - JSON that a stranger wrote, within the bounds of engine_api/answer.h (bytes, values, levels), checked before
 * anything is allocated for it. */
#ifndef PV_ENGINE_API_JSON_H
#define PV_ENGINE_API_JSON_H

#include <cjson/cJSON.h>

#include "base/util.h"

/* The whole of it: something behind the value is -EBADMSG, too. 0, -EBADMSG, -EFBIG (also: no room for it). *ret is NULL after an
 * error, else the caller's. */
int json_parse(const char *s, size_t len, cJSON **ret);
/* The same; after -EBADMSG *ret_wrong is where it stops being JSON. */
int json_parse_at(const char *s, size_t len, cJSON **ret, size_t *ret_wrong);
/* A member of an object; NULL when it is absent, or there twice: readers differ in which of the two they take. */
const cJSON *json_member(const cJSON *object, const char *key);

/* For cJSON_ArrayForEach: itself, or NULL where it is something else. */
static inline const cJSON *json_array(const cJSON *v)
{
	return cJSON_IsArray(v) ? v : NULL;
}

static inline const cJSON *json_object(const cJSON *v)
{
	return cJSON_IsObject(v) ? v : NULL;
}

static inline void json_freep(cJSON **p)
{
	cJSON_Delete(*p);
}
#define auto_json __attribute__((cleanup(json_freep))) cJSON

#endif
