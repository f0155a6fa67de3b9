#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/text.h"
#include "broker/kernel_maps.h"

#define VALUE_MAX 512 /* of a map of another layout; a larger one is left */

/* A pinned map of another layout, and where in its value a member lies: its own type information says so. */
struct foreign {
	int fd;
	uint32_t at, size; /* of the member, octets */
	uint32_t value_size;
};

static bool member(const struct btf *btf, uint32_t type, const char *name, struct foreign *f)
{
	const struct btf_type *t = btf__type_by_id(btf, type);
	const struct btf_member *m;

	if (!t || !btf_is_struct(t))
		return false;
	m = btf_members(t);
	for (uint32_t i = 0; i < btf_vlen(t); i++, m++) {
		const char *s = btf__name_by_offset(btf, m->name_off);
		int64_t size = btf__resolve_size(btf, m->type);

		if (!s || strcmp(s, name) != 0)
			continue;
		f->at = btf_member_bit_offset(t, i) / 8;
		f->size = size > 0 ? (uint32_t) size : 0;
		return f->size > 0 && f->at + f->size <= f->value_size;
	}
	return false;
}

static int foreign_open(const char *folder, const char *map, const char *name, struct foreign *f)
{
	char path[POLICY_PATH + 80];
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	struct btf *btf = NULL;
	bool found = false;

	(void) snprintf(path, sizeof(path), "%s/%s", folder, map);
	f->fd = bpf_obj_get(path);
	if (f->fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(f->fd, &info, &len) == 0 && info.btf_id && info.value_size <= VALUE_MAX) {
		f->value_size = info.value_size;
		btf = btf__load_from_kernel_by_id(info.btf_id);
		found = btf && member(btf, info.btf_value_type_id, name, f);
	}
	btf__free(btf);
	if (found)
		return 0;
	f->fd = pv_close(f->fd);
	return -EBADMSG;
}

/* The member of one value, into an integer of at most eight octets. */
static bool foreign_read(const struct foreign *f, const void *key, uint64_t *ret)
{
	uint8_t value[VALUE_MAX] = { 0 };

	*ret = 0;
	if (f->size > sizeof(*ret) || bpf_map_lookup_elem(f->fd, key, value) < 0)
		return false;
	memcpy(ret, value + f->at, f->size); /* little endian, as every machine that pavise runs on */
	return true;
}

static void carry_off(struct kernel *k, const char *folder)
{
	struct foreign f = { .fd = -1 };
	uint32_t zero = 0;
	uint64_t until;

	if (foreign_open(folder, "map_conf", "off_until_ns", &f) < 0)
		return;
	if (foreign_read(&f, &zero, &until) && until > kernel_off_until(k))
		(void) kernel_off(k, until);
	(void) pv_close(f.fd);
}

static void carry_flags(struct kernel *k, const char *folder)
{
	const uint32_t allowed = PV_ALLOW_NET | PV_ALLOW_DNS | PV_ALLOW_EXEC, exec = PV_EXEC_ALERT | PV_EXEC_BUILD | PV_EXEC_NO_GRACE;
	uint64_t cgroup, next, flags;
	struct foreign f = { .fd = -1 };

	if (foreign_open(folder, "map_workloads", "flags", &f) < 0)
		return;
	for (bool first = true; bpf_map_get_next_key(f.fd, first ? NULL : &cgroup, &next) == 0; first = false) {
		cgroup = next;
		if (!foreign_read(&f, &cgroup, &flags))
			continue;
		if (flags & allowed)
			(void) kernel_except(k, cgroup, (uint32_t) flags & allowed);
		if (flags & exec)
			(void) kernel_exec(k, cgroup, (uint32_t) flags & exec);
	}
	(void) pv_close(f.fd);
}

void kernel_carry(struct kernel *k, bool off)
{
	int fd = open(k->bpf_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		(void) pv_close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		char folder[POLICY_PATH + 16];
		uint32_t number;

		if (e->d_name[0] != 'v' || parse_u32(e->d_name + 1, &number) < 0 || number == PV_BPF_LAYOUT)
			continue;
		(void) snprintf(folder, sizeof(folder), "%s/v%u", k->bpf_dir, number);
		if (off)
			carry_off(k, folder);
		else
			carry_flags(k, folder);
	}
	(void) closedir(d);
}
