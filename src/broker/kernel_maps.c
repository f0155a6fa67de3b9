#include <ctype.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/text.h"
#include "broker/kernel_exec.h"
#include "broker/kernel_maps.h"

#define PORT_WORDS (65536 / 64)

/* Why a prefix counts as internal: an entry goes with its last reason. */
#define FROM_POLICY (1u << 0)
#define FROM_HOST   (1u << 1)
#define FROM_DOCKER (1u << 2)

/* ---- settings ---- */

static int conf_read(const struct kernel *k, struct pv_bpf_conf *conf)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(kernel_map(k->skel->maps.conf), &zero, conf) < 0 ? -errno : 0;
}

static int conf_write(const struct kernel *k, const struct pv_bpf_conf *conf)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(kernel_map(k->skel->maps.conf), &zero, conf, BPF_ANY) < 0 ? -errno : 0;
}

int kernel_maps_root(struct kernel *k)
{
	struct pv_bpf_conf conf;
	int r = conf_read(k, &conf);

	if (r < 0)
		return r;
	conf.root_id = k->root_id;
	return conf_write(k, &conf);
}

int kernel_maps_rest(const struct kernel *k, bool rests)
{
	struct pv_bpf_conf conf;
	int r = conf_read(k, &conf);

	if (r < 0)
		return r;
	conf.ingress_rests = rests;
	return conf_write(k, &conf);
}

/* ---- ports: what comes is set before what goes is cleared ---- */

static int ports_write(struct kernel *k, const struct pv_ports *now)
{
	int map = kernel_map(k->skel->maps.ports);

	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < PORT_WORDS; i++) {
			struct pv_ports old = { 0 }, word = now[i];

			if (bpf_map_lookup_elem(map, &i, &old) < 0)
				return -errno;
			if (pass == 0) {
				word.blocked |= old.blocked;
				word.watched |= old.watched;
			}
			if (memcmp(&word, &old, sizeof(word)) != 0 && bpf_map_update_elem(map, &i, &word, BPF_ANY) < 0)
				return -errno;
		}
	return 0;
}

static int ports_policy(struct kernel *k, const struct policy *p)
{
	static struct pv_ports now[PORT_WORDS]; /* 16 KiB, and everything here is one thread */

	memset(now, 0, sizeof(now));
	for (uint32_t i = 0; i < p->pool.n_ports; i++)
		now[p->pool.ports[i] / 64].watched |= 1ull << p->pool.ports[i] % 64;
	if (p->dns.encrypted != ACTION_IGNORE) {
		now[853 / 64].watched |= 1ull << 853 % 64;
		if (p->pool.n_resolvers)
			now[443 / 64].watched |= 1ull << 443 % 64;
	}
	for (uint32_t i = 0; i < p->net.n_ports; i++)
		now[p->net.ports[i] / 64].blocked |= 1ull << p->net.ports[i] % 64;
	return ports_write(k, now);
}

/* ---- public resolvers ---- */

static bool is_resolver(const struct policy *p, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < p->pool.n_resolvers; i++)
		if (memcmp(&p->pool.resolvers[i], a, sizeof(*a)) == 0)
			return true;
	return false;
}

static int resolvers_policy(struct kernel *k, const struct policy *p)
{
	int map = kernel_map(k->skel->maps.resolvers), r;
	struct ip_addr key, next;
	uint32_t one = 1;

	for (uint32_t i = 0; i < p->pool.n_resolvers; i++)
		if (bpf_map_update_elem(map, &p->pool.resolvers[i], &one, BPF_ANY) < 0)
			return -errno;
	for (r = bpf_map_get_next_key(map, NULL, &next); r == 0;) {
		key = next;
		r = bpf_map_get_next_key(map, &key, &next);
		if (!is_resolver(p, &key))
			(void) bpf_map_delete_elem(map, &key);
	}
	return 0;
}

/* ---- prefixes ---- */

static struct pv_lpm_key lpm_key(const struct ip_prefix *p)
{
	struct pv_lpm_key key = { .bits = p->len };

	memcpy(key.addr, p->addr.b, sizeof(key.addr));
	return key;
}

static bool same_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0;
}

static struct kernel_prefix *prefix_find(const struct kernel_prefixes *set, const struct ip_prefix *p)
{
	for (size_t i = 0; i < set->n; i++)
		if (same_prefix(&set->v[i].prefix, p))
			return &set->v[i];
	return NULL;
}

static int prefix_add(struct kernel_prefixes *set, int map, const struct ip_prefix *p, uint32_t from)
{
	struct kernel_prefix *there = prefix_find(set, p);
	struct pv_lpm_key key = lpm_key(p);
	uint32_t value = 1;

	if (there) {
		there->from |= from;
		return 0;
	}
	there = reallocarray(set->v, set->n + 1, sizeof(*there));
	if (!there)
		return -ENOMEM;
	set->v = there;
	if (bpf_map_update_elem(map, &key, &value, BPF_ANY) < 0)
		return -errno;
	set->v[set->n++] = (struct kernel_prefix){ *p, from };
	return 0;
}

static void prefix_drop(struct kernel_prefixes *set, int map, const struct ip_prefix *p, uint32_t from)
{
	struct kernel_prefix *there = prefix_find(set, p);
	struct pv_lpm_key key = lpm_key(p);

	if (!there || !(there->from & from))
		return;
	there->from &= ~from;
	if (there->from)
		return;
	(void) bpf_map_delete_elem(map, &key);
	*there = set->v[--set->n];
}

/* From now on exactly these have the reason `from`. */
static int prefixes_set(struct kernel_prefixes *set, int map, const struct ip_prefix *v, size_t n, uint32_t from)
{
	int worst = 0;

	for (size_t i = 0; i < n; i++) {
		int r = prefix_add(set, map, &v[i], from);

		worst = r < 0 ? r : worst;
	}
	for (size_t i = set->n; i-- > 0;) {
		struct ip_prefix p = set->v[i].prefix;
		bool wanted = false;

		for (size_t j = 0; j < n && !wanted; j++)
			wanted = same_prefix(&v[j], &p);
		if (!wanted)
			prefix_drop(set, map, &p, from);
	}
	return worst;
}

static int prune(const struct kernel_prefixes *set, int map)
{
	struct pv_lpm_key key, next;
	int r = bpf_map_get_next_key(map, NULL, &next);

	while (r == 0) {
		struct ip_prefix p = { .len = (uint8_t) next.bits };

		key = next;
		memcpy(p.addr.b, key.addr, sizeof(p.addr.b));
		r = bpf_map_get_next_key(map, &key, &next);
		if (!prefix_find(set, &p))
			(void) bpf_map_delete_elem(map, &key);
	}
	return 0;
}

int kernel_maps_prune(struct kernel *k)
{
	(void) prune(&k->net_allow, kernel_map(k->skel->maps.net_allow));
	return prune(&k->internal, kernel_map(k->skel->maps.internal));
}

void kernel_maps_done(struct kernel *k)
{
	free(k->internal.v);
	free(k->net_allow.v);
}

static bool address_of(const struct ifaddrs *ifa, struct ip_prefix *ret)
{
	if (!ifa->ifa_addr)
		return false;
	ret->len = 128;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		ret->addr = ip_from_v4(((const struct sockaddr_in *) (const void *) ifa->ifa_addr)->sin_addr.s_addr);
		return true;
	}
	if (ifa->ifa_addr->sa_family == AF_INET6) {
		memcpy(ret->addr.b, &((const struct sockaddr_in6 *) (const void *) ifa->ifa_addr)->sin6_addr, 16);
		return true;
	}
	return false;
}

/* Network names of containers that are gone. */
static void prune_netnames(struct kernel *k)
{
	int map = kernel_map(k->skel->maps.netnames);
	struct pv_netname_key key, next;
	int r = bpf_map_get_next_key(map, NULL, &next);

	while (r == 0) {
		struct pv_workload w;

		key = next;
		r = bpf_map_get_next_key(map, &key, &next);
		if (kernel_workload(k, key.root_id, &w) == -ENOENT)
			(void) bpf_map_delete_elem(map, &key);
	}
}

#define ADDRESSES_MAX 4096 /* of this host */

int kernel_refresh_addresses(struct kernel *k)
{
	pv_autofree struct ip_prefix *v = calloc(ADDRESSES_MAX, sizeof(*v));
	struct ifaddrs *list;
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	if (getifaddrs(&list) < 0)
		return -errno;
	for (const struct ifaddrs *i = list; i && n < ADDRESSES_MAX; i = i->ifa_next)
		n += address_of(i, &v[n]);
	freeifaddrs(list);
	prune_netnames(k);
	return prefixes_set(&k->internal, kernel_map(k->skel->maps.internal), v, n, FROM_HOST);
}

int kernel_internal(struct kernel *k, const struct ip_prefix *net, bool add)
{
	int map = kernel_map(k->skel->maps.internal);
	uint8_t widest = ip_is_v4(&net->addr) ? 96 + 8 : 32;

	if (net->len > 128 || net->len < widest)
		return -EINVAL;
	if (add)
		return prefix_add(&k->internal, map, net, FROM_DOCKER);
	prefix_drop(&k->internal, map, net, FROM_DOCKER);
	return 0;
}

/* ---- the policy ---- */

int kernel_policy(struct kernel *k, const struct policy *p)
{
	struct pv_bpf_conf conf = { 0 };
	uint32_t slot;
	int r = ports_policy(k, p);

	if (r == 0)
		r = resolvers_policy(k, p);
	if (r == 0)
		r = prefixes_set(&k->internal, kernel_map(k->skel->maps.internal), p->net.internal,
				 PV_MIN(p->net.n_internal, (uint32_t) POLICY_PREFIXES), FROM_POLICY);
	if (r == 0)
		r = prefixes_set(&k->net_allow, kernel_map(k->skel->maps.net_allow), p->net.allow,
				 PV_MIN(p->net.n_allow, (uint32_t) POLICY_PREFIXES), FROM_POLICY);
	if (r == 0)
		r = conf_read(k, &conf);
	if (r < 0)
		return r;
	slot = !conf.dns_slot;
	if (bpf_map_update_elem(kernel_map(k->skel->maps.dns), &slot, &p->dns.table, BPF_ANY) < 0)
		return -errno;
	conf.dns_slot = (uint8_t) slot;
	conf.net_action = p->net.action;
	conf.dns_action = p->dns.action;
	conf.encrypted_action = p->dns.encrypted;
	conf.observe = p->observe;
	r = kernel_exec_policy(k, p, &conf);
	return r < 0 ? r : conf_write(k, &conf);
}

/* ---- workloads ---- */

int kernel_workload(const struct kernel *k, uint64_t cgroup, struct pv_workload *ret)
{
	return bpf_map_lookup_elem(kernel_map(k->skel->maps.workloads), &cgroup, ret) < 0 ? -errno : 0;
}

/* The broker alone writes an entry once its tracepoint made it. */
static int set_flags(struct kernel *k, uint64_t cgroup, uint32_t ours, uint32_t flags)
{
	struct pv_workload w;
	int r = kernel_workload(k, cgroup, &w);

	if (r < 0)
		return r;
	if ((flags & ~ours) || (!(w.flags & PV_WORKLOAD_ROOT) && w.class_ != PV_CLASS_NONE))
		return -EINVAL;
	w.flags = (w.flags & ~ours) | flags;
	return bpf_map_update_elem(kernel_map(k->skel->maps.workloads), &cgroup, &w, BPF_EXIST) < 0 ? -errno : 0;
}

int kernel_except(struct kernel *k, uint64_t cgroup, uint32_t flags)
{
	return set_flags(k, cgroup, PV_ALLOW_NET | PV_ALLOW_DNS | PV_ALLOW_EXEC, flags);
}

int kernel_exec(struct kernel *k, uint64_t cgroup, uint32_t flags)
{
	struct pv_workload w;
	int r = kernel_workload(k, cgroup, &w);

	if (r == 0 && w.class_ != PV_CLASS_CONTAINER)
		r = -EPERM;
	return r < 0 ? r : set_flags(k, cgroup, PV_EXEC_ALERT | PV_EXEC_BUILD | PV_EXEC_NO_GRACE, flags);
}

int kernel_netname(struct kernel *k, uint64_t cgroup, const char *name, bool add)
{
	struct pv_netname_key key = { .root_id = cgroup };
	int map = kernel_map(k->skel->maps.netnames);
	size_t len = strlen(name);
	uint32_t one = 1;

	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(key.name))
		return -ENAMETOOLONG;
	for (size_t i = 0; i < len; i++)
		key.name[i] = (char) tolower((unsigned char) name[i]);
	if (add)
		return bpf_map_update_elem(map, &key, &one, BPF_ANY) < 0 ? -errno : 0;
	return bpf_map_delete_elem(map, &key) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- off ---- */

int kernel_off(struct kernel *k, uint64_t until_ns)
{
	struct pv_bpf_conf conf;
	int r = conf_read(k, &conf);

	if (r < 0)
		return r;
	conf.off_until_ns = until_ns;
	return conf_write(k, &conf);
}

uint64_t kernel_off_until(const struct kernel *k)
{
	struct pv_bpf_conf conf;

	return conf_read(k, &conf) < 0 ? 0 : conf.off_until_ns;
}

/* The settings' pin of our layout, checked for its shape: another layout's is not ours to write. */
static int open_pinned_conf(const char *bpf_dir)
{
	char path[POLICY_PATH + 80];
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd;

	(void) snprintf(path, sizeof(path), "%s/v%d/map_conf", bpf_dir, PV_BPF_LAYOUT);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.value_size != sizeof(struct pv_bpf_conf)) {
		(void) pv_close(fd);
		return -EBADMSG;
	}
	return fd;
}

int kernel_off_pinned(const char *bpf_dir, uint64_t until_ns)
{
	pv_autoclose int fd = open_pinned_conf(bpf_dir);
	struct pv_bpf_conf conf;
	uint32_t zero = 0;

	if (fd >= 0 && bpf_map_lookup_elem(fd, &zero, &conf) == 0) {
		conf.off_until_ns = until_ns;
		if (bpf_map_update_elem(fd, &zero, &conf, BPF_ANY) == 0)
			return 0;
	}
	return kernel_unpin_all(bpf_dir) > 0 ? 1 : -ENOENT;
}

/* Of one other layout. Its first eight octets are off_until_ns in every layout (bpf/event.h). */
static uint64_t off_of(const char *bpf_dir, const char *folder)
{
	char path[POLICY_PATH + 80];
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), zero = 0;
	pv_autoclose int fd = -1;
	uint64_t value[64];

	(void) snprintf(path, sizeof(path), "%s/%.16s/map_conf", bpf_dir, folder);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.type != BPF_MAP_TYPE_ARRAY || info.key_size != sizeof(zero) ||
	    info.value_size < sizeof(value[0]) || info.value_size > sizeof(value) || bpf_map_lookup_elem(fd, &zero, value) < 0)
		return 0;
	return value[0];
}

uint64_t kernel_off_of_others(const struct kernel *k)
{
	DIR *d = opendir(k->bpf_dir);
	uint64_t until = 0;
	uint32_t number;

	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] == 'v' && parse_u32(e->d_name + 1, &number) == 0 && number != PV_BPF_LAYOUT)
			until = PV_MAX(until, off_of(k->bpf_dir, e->d_name));
	(void) closedir(d);
	return until;
}

int kernel_off_until_pinned(const char *bpf_dir, uint64_t *ret_ns)
{
	pv_autoclose int fd = open_pinned_conf(bpf_dir);
	struct pv_bpf_conf conf;
	uint32_t zero = 0;

	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &conf) < 0)
		return -ENOENT;
	*ret_ns = conf.off_until_ns;
	return 0;
}
