#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "collector/collector.h"

/* Octal escapes of blanks and backslashes (proc(5)), and those that the overlay itself makes of `:` and `,`. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char) ((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else if (s[0] == '\\' && s[1]) {
			*to++ = s[1];
			s += 2;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static void put_lower(struct overlay *o, size_t *at, const char *docker_root, const char *path, size_t len)
{
	bool absolute = path[0] == '/';
	int n = snprintf(o->lowers + *at, sizeof(o->lowers) - *at - 1, "%s%s%.*s", absolute ? "" : docker_root,
			 absolute ? "" : "/overlay2/", (int) len, path);

	if (n <= 0 || *at + (size_t) n + 2 > sizeof(o->lowers)) {
		o->lowers[*at] = '\0';
		return;
	}
	unescape(o->lowers + *at);
	*at += strlen(o->lowers + *at) + 1;
	o->lowers[*at] = '\0';
}

/* `rw,lowerdir=A:B,upperdir=C,workdir=D`; since 6.5 also `lowerdir+=A,lowerdir+=B`. */
static void take_options(struct overlay *o, const char *options, const char *docker_root)
{
	size_t at = 0;

	for (const char *s = options; *s && *s != '\n';) {
		size_t len = strcspn(s, ",\n");

		if (strncmp(s, "upperdir=", 9) == 0 && len - 9 < sizeof(o->upper)) {
			memcpy(o->upper, s + 9, len - 9);
			o->upper[len - 9] = '\0';
			unescape(o->upper);
		} else if (strncmp(s, "lowerdir", 8) == 0 && strcspn(s, "=") < len) {
			size_t eq = strcspn(s, "=") + 1;

			for (const char *p = s + eq; p < s + len;) {
				size_t one = PV_MIN(strcspn(p, ":"), (size_t) (s + len - p));

				if (one)
					put_lower(o, &at, docker_root, p, one);
				p += one + 1;
			}
		}
		s += len;
		s += *s == ',';
	}
}

int overlay_parse(const char *mountinfo, const char *docker_root, struct overlay *ret)
{
	*ret = (struct overlay){ 0 };
	for (const char *line = mountinfo; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *end = strchrnul(line, '\n'), *dash = strstr(line, " - "), *s = line;

		for (int i = 0; i < 4 && s; i++) { /* id, parent, device, root: then the mount point */
			s = memchr(s, ' ', (size_t) (end - s));
			s = s ? s + 1 : NULL;
		}
		if (!s || strncmp(s, "/ ", 2) != 0 || !dash || dash > end)
			continue;
		if (strncmp(dash + 3, "overlay ", 8) != 0)
			return -ENODATA;
		dash = memchr(dash + 11, ' ', (size_t) (end - dash - 11)); /* past the source */
		if (!dash)
			return -EBADMSG;
		take_options(ret, dash + 1, docker_root);
		return *ret->upper ? 0 : -ENODATA;
	}
	return -ENODATA;
}

int overlay_of(int proc_dir, const char *docker_root, struct overlay *ret)
{
	pv_autoclose int fd = openat(proc_dir, "mountinfo", O_RDONLY | O_CLOEXEC);
	char *text = malloc(256u << 10);
	size_t len = 0;
	ssize_t n;
	int r;

	if (fd < 0 || !text) {
		free(text);
		return -errno;
	}
	while (len < (256u << 10) - 1 && (n = read(fd, text + len, (256u << 10) - 1 - len)) > 0)
		len += (size_t) n;
	text[len] = '\0';
	r = overlay_parse(text, docker_root, ret);
	free(text);
	return r;
}

int overlay_of_dead(const char *docker_root, const char *id, struct overlay *ret)
{
	char path[768], name[80] = "";
	pv_autoclose int fd = -1;
	ssize_t n;

	*ret = (struct overlay){ 0 };
	if (!text_is_hex(id, 64) ||
	    snprintf(path, sizeof(path), "%s/image/overlay2/layerdb/mounts/%s/mount-id", docker_root, id) >= (int) sizeof(path))
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
	if (n < 0)
		return -errno;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (!text_is_hex(name, 64) ||
	    snprintf(ret->upper, sizeof(ret->upper), "%s/overlay2/%s/diff", docker_root, name) >= (int) sizeof(ret->upper))
		return -EBADMSG;
	return 0;
}

static int open_below(const char *folder, const char *path)
{
	pv_autoclose int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : file_open_in(root, path);
}

int overlay_open_upper(const struct overlay *o, const char *path)
{
	return *o->upper ? open_below(o->upper, path) : -ENOENT;
}

int overlay_open_lower(const struct overlay *o, const char *path)
{
	int fd = -ENOENT;

	for (const char *l = o->lowers; *l && fd == -ENOENT; l += strlen(l) + 1)
		fd = open_below(l, path);
	return fd;
}
