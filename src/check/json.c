#include "check/json.h"

#include <string.h>

#include "engine_api/answer.h"

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

int json_parse(const char *s, size_t len, cJSON **ret)
{
	int r = bounds(s, len);

	if (r < 0)
		return r;
	*ret = cJSON_ParseWithLength(s, len);
	return *ret ? 0 : -EBADMSG;
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
