#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bpf/classify.h"
#include "model/workload.h"

static uint32_t pad_name(char padded[CLASSIFY_NAME], const char *name, size_t len)
{
	len = PV_MIN(len, (size_t) CLASSIFY_NAME - 1);
	memset(padded, 0, CLASSIFY_NAME);
	memcpy(padded, name, len);
	return (uint32_t) len;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The next component of `path`: its start, with its length in *len; NULL at the end. */
static const char *component(const char *path, size_t *len)
{
	path += strspn(path, "/");
	*len = strcspn(path, "/");
	return *len ? path : NULL;
}

/* Container id of the first component that is a container's: what is nested below it belongs to it. */
static void find_id(char id[65], const char *path)
{
	char padded[CLASSIFY_NAME];
	size_t len;

	id[0] = '\0';
	for (const char *c = component(path, &len); c; c = component(c + len, &len)) {
		uint32_t n = pad_name(padded, c, len);
		int at = classify_hex_at(padded, n);

		if (at >= 0 && len < CLASSIFY_NAME) {
			memcpy(id, padded + at, CLASSIFY_HEX);
			id[CLASSIFY_HEX] = '\0';
			return;
		}
	}
}

bool workload_path_is_container(const char *path)
{
	char id[65];

	find_id(id, path);
	return id[0] != '\0';
}

void workload_classify(struct workload *w, const char *path, enum pv_class parent)
{
	char padded[CLASSIFY_NAME];
	const char *name = last_component(path);
	uint32_t len = pad_name(padded, name, strlen(name));

	(void) text_copy(w->path, sizeof(w->path), path);
	w->class_ = len ? classify_name(padded, len, (uint8_t) parent) : PV_CLASS_TOP;
	w->id[0] = '\0';
	w->rootless = false;
	if (w->class_ != PV_CLASS_CONTAINER)
		return;
	find_id(w->id, path);
	w->rootless = strncmp(path, "/user.slice/", 12) == 0;
}

/* The topmost service of a path: /system.slice/backup.service/worker is backup.service. */
static bool unit_name(char *out, size_t size, const char *path)
{
	size_t len;

	for (const char *c = component(path, &len); c; c = component(c + len, &len))
		if (len > 8 && len < size && memcmp(c + len - 8, ".service", 8) == 0) {
			memcpy(out, c, len);
			out[len] = '\0';
			return true;
		}
	return false;
}

static bool info_name(char *out, size_t size, const struct container_info *info)
{
	if (!info)
		return false;
	if (info->project[0] && info->service[0]) {
		(void) snprintf(out, size, "%s/%s", info->project, info->service);
		return true;
	}
	if (info->service_id[0] && info->service[0])
		return text_copy(out, size, info->service) || out[0];
	return info->name[0] && (text_copy(out, size, info->name) || out[0]);
}

void workload_name(char *out, size_t size, const struct workload *w)
{
	const char *last = last_component(w->path);

	if (w->class_ == PV_CLASS_TOP) {
		(void) text_copy(out, size, "host");
		return;
	}
	if (info_name(out, size, w->info))
		return;
	if (w->class_ == PV_CLASS_CONTAINER && w->id[0]) {
		(void) snprintf(out, size, "%.12s", w->id);
		return;
	}
	if ((w->class_ == PV_CLASS_UNIT || w->class_ == PV_CLASS_PROTECTED) && unit_name(out, size, w->path))
		return;
	if (last[0])
		(void) text_copy(out, size, last);
	else
		(void) snprintf(out, size, "cgroup %llu", (unsigned long long) w->cgroup);
}

void container_image_name(char *out, size_t size, const struct container_info *info)
{
	(void) snprintf(out, size, "image:%s", *info->image ? info->image : info->image_id);
}

uint64_t container_words(const char *words, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len && i < PV_EXEC_ARGV; i++)
		h = (h ^ (uint8_t) words[i]) * 0x100000001b3ULL;
	return h ? h : 1;
}

enum subject_kind workload_subject(const struct workload *w)
{
	switch (w->class_) {
	case PV_CLASS_CONTAINER:
	case PV_CLASS_BUILD:
		return SUBJECT_CONTAINER;
	case PV_CLASS_UNIT:
	case PV_CLASS_PROTECTED:
		return SUBJECT_UNIT;
	default:
		return w->info ? SUBJECT_CONTAINER : SUBJECT_HOST;
	}
}
