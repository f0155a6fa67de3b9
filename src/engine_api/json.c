#include "engine_api/json.h"

#include <string.h>

#include "engine_api/answer.h"

/* Levels and number of values: cJSON recurses, and takes 64 bytes a value. */
static int bounds(const char *s, size_t len)
{
	size_t depth = 0, nodes = 1;
	bool text = false;

	if (len > ANSWER_BYTES)
		return -EFBIG;
	for (size_t i = 0; i < len; i++) {
		if (text) {
			i += s[i] == '\\';
			text = i < len && s[i] != '"';
			continue;
		}
		text = s[i] == '"';
		if (s[i] == '{' || s[i] == '[')
			depth++;
		else if ((s[i] == '}' || s[i] == ']') && depth)
			depth--;
		nodes += s[i] == '{' || s[i] == '[' || s[i] == ',';
		if (depth > ANSWER_DEPTH || nodes > ANSWER_NODES)
			return -EFBIG;
	}
	return 0;
}

int json_parse_at(const char *s, size_t len, cJSON **ret, size_t *ret_wrong)
{
	const char *end = NULL;
	int r = bounds(s, len);

	*ret = NULL;
	if (r < 0)
		return r;
	*ret = cJSON_ParseWithLengthOpts(s, len, &end, false);
	while (*ret && end < s + len && *end && strchr(" \t\r\n", *end))
		end++;
	if (*ret && end == s + len)
		return 0;
	cJSON_Delete(*ret);
	*ret = NULL;
	*ret_wrong = end ? PV_MIN((size_t) (end - s), len) : 0;
	return -EBADMSG;
}

int json_parse(const char *s, size_t len, cJSON **ret)
{
	size_t wrong;

	return json_parse_at(s, len, ret, &wrong);
}

const cJSON *json_member(const cJSON *object, const char *key)
{
	const cJSON *found = NULL, *item;

	if (!cJSON_IsObject(object))
		return NULL;
	cJSON_ArrayForEach(item, object)
	{
		if (!item->string || strcmp(item->string, key) != 0)
			continue;
		if (found)
			return NULL;
		found = item;
	}
	return found;
}
