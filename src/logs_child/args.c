#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "logs_child/logs_child.h"

static int number(const char *text, int *ret)
{
	uint32_t v;

	if (parse_u32(text, &v) < 0 || v > 1 << 20)
		return -EINVAL;
	*ret = (int) v;
	return 0;
}

/* FD:NAME, or FD:FD:NAME with the container's description. */
static int add_file(struct logs_file *list, size_t *n, const char *v, bool container)
{
	struct logs_file f = { .fd = -1, .about = -1 };
	char word[16];
	const char *colon = strchr(v, ':');

	for (int i = 0; i < 1 + container; i++) {
		if (!colon || colon - v >= (long) sizeof(word) || *n == LOGS_FILES)
			return -EINVAL;
		memcpy(word, v, (size_t) (colon - v));
		word[colon - v] = '\0';
		if (number(word, i ? &f.about : &f.fd) < 0)
			return -EINVAL;
		v = colon + 1;
		colon = strchr(v, ':');
	}
	f.name = v;
	list[(*n)++] = f;
	return 0;
}

static int with_value(struct logs_args *a, const char *name, const char *v)
{
	const struct {
		const char *name, **to;
	} texts[] = { { "--cache", &a->cache }, { "--service", &a->service }, { "--only", &a->only }, { "--skip", &a->skip },
		      { "--container", &a->container }, { "--unit", &a->unit }, { "--line", &a->line } };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (strcmp(name, texts[i].name) == 0)
			return *texts[i].to = v, 0;
	if (strcmp(name, "--rules") == 0 && a->n_rules < LOGS_PATHS)
		return a->rules[a->n_rules++] = v, 0;
	if (strcmp(name, "--file") == 0)
		return add_file(a->file, &a->n_files, v, false);
	if (strcmp(name, "--container-file") == 0)
		return add_file(a->own, &a->n_own, v, true);
	if (strcmp(name, "--journal-fd") == 0 && a->n_journals < LOGS_FILES)
		return number(v, &a->journal[a->n_journals++]);
	if (strcmp(name, "--since-us") == 0)
		return parse_u64(v, &a->since_us);
	if (strcmp(name, "--format") == 0) {
		a->events = strcmp(v, "jsonl") == 0;
		return (a->format = findings_format_find(v)) ? 0 : -EINVAL;
	}
	if (strcmp(name, "--fail-on") == 0)
		return severity_parse(v, &a->fail_on);
	if (strcmp(name, "--width") == 0)
		return parse_u32(v, &a->width);
	return -EINVAL;
}

static bool flag(struct logs_args *a, const char *name)
{
	const struct {
		const char *name;
		bool *to;
	} flags[] = { { "--all", &a->all }, { "--quiet", &a->quiet }, { "--colour", &a->colour }, { "--usual", &a->usual } };

	for (size_t i = 0; i < N_ELEMENTS(flags); i++)
		if (strcmp(name, flags[i].name) == 0)
			return *flags[i].to = true;
	return false;
}

int logs_args_read(struct logs_args *a, int argc, char **argv)
{
	*a = (struct logs_args){ .format = findings_formats, .fail_on = SEV_HIGH };
	for (int i = 1; i < argc; i++) {
		if (flag(a, argv[i]))
			continue;
		if (i + 1 >= argc || with_value(a, argv[i], argv[i + 1]) < 0) {
			log_error("started wrongly: it belongs to `pavise logs`");
			return -EINVAL;
		}
		i++;
	}
	return a->n_rules ? 0 : -EINVAL;
}
