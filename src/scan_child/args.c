#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "scan_child/scan_child.h"

static int number(const char *text, int *ret)
{
	uint32_t v;

	if (parse_u32(text, &v) < 0 || v > 1 << 20)
		return -EINVAL;
	*ret = (int) v;
	return 0;
}

static int with_value(struct scan_args *a, const char *name, const char *v)
{
	if (strcmp(name, "--rules") == 0 && a->n_rules < SCAN_PATHS)
		return a->rules[a->n_rules++] = v, 0;
	if (strcmp(name, "--cache") == 0)
		return a->cache = v, 0;
	if (strcmp(name, "--dir") == 0)
		return a->dir = v, 0;
	if (strcmp(name, "--name") == 0)
		return a->name = v, 0;
	if (strcmp(name, "--since") == 0)
		return a->since = v, 0;
	if (strcmp(name, "--only") == 0)
		return a->only = v, 0;
	if (strcmp(name, "--skip") == 0)
		return a->skip = v, 0;
	if (strcmp(name, "--format") == 0)
		return (a->format = findings_format_find(v)) ? 0 : -EINVAL;
	if (strcmp(name, "--fail-on") == 0)
		return severity_parse(v, &a->fail_on);
	if (strcmp(name, "--text-fd") == 0)
		return number(v, &a->text_fd);
	if (strcmp(name, "--container-fd") == 0)
		return number(v, &a->container_fd);
	if (strcmp(name, "--baseline-fd") == 0)
		return number(v, &a->baseline_fd);
	if (strcmp(name, "--index-fd") == 0)
		return number(v, &a->index_fd);
	if (strcmp(name, "--width") == 0)
		return parse_u32(v, &a->width);
	return -EINVAL;
}

static bool flag(struct scan_args *a, const char *name)
{
	const struct {
		const char *name;
		bool *to;
	} flags[] = { { "--tree", &a->tree },	{ "--history", &a->history }, { "--staged", &a->staged },
		      { "--all", &a->all },	{ "--quiet", &a->quiet },     { "--colour", &a->colour } };

	for (size_t i = 0; i < N_ELEMENTS(flags); i++)
		if (strcmp(name, flags[i].name) == 0)
			return *flags[i].to = true;
	return false;
}

int scan_args_read(struct scan_args *a, int argc, char **argv)
{
	*a = (struct scan_args){ .format = findings_formats, .fail_on = SEV_HIGH, .text_fd = -1, .container_fd = -1,
				 .baseline_fd = -1, .index_fd = -1 };
	for (int i = 1; i < argc; i++) {
		if (flag(a, argv[i]))
			continue;
		if (i + 1 >= argc || with_value(a, argv[i], argv[i + 1]) < 0) {
			log_error("started wrongly: it belongs to `pavise scan`");
			return -EINVAL;
		}
		i++;
	}
	return a->n_rules ? 0 : -EINVAL;
}
