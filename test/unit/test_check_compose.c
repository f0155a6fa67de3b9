/* Compose files: their syntax, one row a case; and the same container written in four ways, which must give the same
 * verdicts. */
#include "base/clock.h"
#include "base/util.h"
#include "check.h"
#include "check/check.h"
#include "check/dotenv.h"
#include "check/read_compose.h"

enum { F = FINDING_FAIL, P = FINDING_PASS, U = FINDING_UNKNOWN, N = FINDING_NOT_APPLICABLE };

/* --- a folder in memory --- */

struct file {
	const char *path, *text;
};

struct folder {
	struct file file[6];
};

static int read_memory(void *user, const char *path, size_t max, struct pv_buf *out)
{
	const struct folder *f = user;

	for (size_t i = 0; i < N_ELEMENTS(f->file) && f->file[i].path; i++)
		if (strcmp(f->file[i].path, path) == 0) {
			pv_buf_add(out, f->file[i].text, PV_MIN(strlen(f->file[i].text), max));
			return 0;
		}
	return -ENOENT;
}

static struct ctr *service_of(struct arena *a, struct folder *f, const char *const *paths, size_t n, const char *name)
{
	struct compose_files files = { read_memory, f };
	struct ctr_list l = { 0 };

	CHECK(ctr_from_compose(a, paths, n, "/srv/shop", &files, &l) >= 0, "read");
	for (size_t i = 0; i < l.n; i++)
		if (l.item[i]->service && strcmp(l.item[i]->service, name) == 0)
			return l.item[i];
	return l.n ? l.item[0] : NULL;
}

static int verdict_of(const struct ctr *c, enum id id, uint64_t *ret_line)
{
	struct finding_list l = { 0 };
	struct check_select sel = { .on = { false } };
	struct check_policy p;
	int v;

	check_policy_defaults(&p);
	sel.on[id] = true;
	assert_int_equal(check_container(c, &p, &sel, &l), 0);
	v = l.n ? (int) l.item[0]->verdict : -1;
	if (l.n && ret_line)
		*ret_line = l.item[0]->n_evidence ? l.item[0]->evidence[0].line : 0;
	finding_list_done(&l);
	return v;
}

/* One file with a service `web`; the rest of the folder is the same for all. */
static const struct {
	enum id id;
	const char *text;
	int verdict;
	unsigned line; /* of the evidence; 0: not looked at */
} cases[] = {
#define WEB "services:\n  web:\n    image: a:1\n"
	{ ID_CTR_NO_NEW_PRIVILEGES, WEB, F, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, WEB "    security_opt: [\"no-new-privileges:true\"]\n", P, 4 },
	{ ID_CTR_NO_NEW_PRIVILEGES, WEB "    security_opt:\n      - no-new-privileges\n", P, 5 },
	{ ID_CTR_NO_NEW_PRIVILEGES, WEB "    security_opt: [\"no-new-privileges=false\"]\n", F, 4 },
	{ ID_CTR_NO_NEW_PRIVILEGES, WEB "    security_opt: [\"${OPT}\"]\n", U, 4 },
	{ ID_CTR_NO_NEW_PRIVILEGES, WEB "    security_opt: {a: b}\n", U, 4 },
	{ ID_CTR_SECCOMP, WEB "    security_opt: [\"seccomp:unconfined\", \"${OPT}\"]\n", F, 4 },
	/* anchors and merge keys */
	{ ID_CTR_READONLY_ROOTFS, "x-safe: &safe\n  read_only: true\nservices:\n  web:\n    <<: *safe\n    image: a:1\n", P, 0 },
	{ ID_CTR_READONLY_ROOTFS, "x-safe: &safe\n  read_only: true\nservices:\n  web:\n    <<: *safe\n    read_only: false\n", F, 6 },
	{ ID_CTR_READONLY_ROOTFS, "x-a: &a {read_only: true}\nx-b: &b {read_only: false}\nservices:\n  web:\n    <<: [*a, *b]\n", P, 0 },
	{ ID_CTR_READONLY_ROOTFS, WEB "    read_only: perhaps\n", U, 4 },
	/* variables */
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${PIDS:-50}\n", P, 0 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${UNSET}\n", U, 4 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${UNSET:?say how many}\n", U, 4 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${UNSET:-${ALSO_UNSET:-0}}\n", F, 4 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: $FIFTY\n", P, 0 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${FIFTY:+70}\n", P, 0 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${EMPTY:-60}\n", P, 0 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: ${broken\n", U, 4 },
	{ ID_CTR_PIDS_LIMIT, WEB "    deploy: {resources: {limits: {pids: 40}}}\n", P, 0 },
	{ ID_CTR_PIDS_LIMIT, WEB "    pids_limit: -1\n", F, 4 },
	{ ID_CTR_MEMORY_LIMIT, WEB "    mem_limit: 512m\n", P, 0 },
	{ ID_CTR_MEMORY_LIMIT, WEB "    deploy:\n      resources:\n        limits:\n          memory: 0.5G\n", P, 0 },
	{ ID_CTR_MEMORY_LIMIT, WEB "    mem_limit: many\n", U, 4 },
	{ ID_CTR_MEMORY_LIMIT, WEB "    deploy: {resources: {reservations: {memory: 1g}}}\n", F, 0 },
	{ ID_CTR_MEMORY_SWAP, WEB "    mem_limit: 512m\n    memswap_limit: -1\n", F, 5 },
	{ ID_CTR_MEMORY_SWAP, WEB "    mem_limit: 512m\n    memswap_limit: 512m\n", P, 0 },
	{ ID_CTR_MEMORY_SWAP, WEB "    memswap_limit: -1\n", N, 0 },
	{ ID_CTR_CPU_LIMIT, WEB "    cpus: 1.5\n", P, 0 },
	{ ID_CTR_CPU_LIMIT, WEB "    cpus: \"0.5\"\n", P, 0 },
	{ ID_CTR_CPU_LIMIT, WEB "    cpu_quota: 50000\n", P, 0 },
	{ ID_CTR_CPU_LIMIT, WEB "    cpus: all\n", U, 4 },
	{ ID_CTR_CPU_LIMIT, WEB "    cpu_shares: 512\n", F, 0 },
	{ ID_CTR_NON_ROOT, WEB "    user: \"0:0\"\n", F, 4 },
	{ ID_CTR_NON_ROOT, WEB "    user: 1001:1001\n", P, 0 },
	{ ID_CTR_NON_ROOT, WEB "    user: ${UID}\n", U, 0 },
	{ ID_CTR_NON_ROOT, WEB, U, 0 },
	{ ID_CTR_CAP_DROP_ALL, WEB "    cap_drop: ALL\n", P, 0 },
	{ ID_CTR_CAP_DROP_ALL, WEB "    cap_drop: [all]\n    cap_add: [CAP_CHOWN]\n", P, 0 },
	{ ID_CTR_CAP_DROP_ALL, WEB "    cap_drop: [NET_RAW]\n", F, 4 },
	{ ID_CTR_CAP_ADD, WEB "    cap_add:\n      - NET_BIND_SERVICE\n      - SYS_ADMIN\n", F, 6 },
	{ ID_CTR_PRIVILEGED, WEB "    privileged: true\n", F, 4 },
	{ ID_CTR_PRIVILEGED, WEB "    privileged: ${P}\n", U, 4 },
	{ ID_CTR_PRIVILEGED, WEB, P, 0 },
	/* volumes, short and long */
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes:\n      - ./data:/data\n      - /var/run/docker.sock:/var/run/docker.sock:ro\n", F, 6 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes:\n      - {type: bind, source: /run, target: /x, read_only: true}\n", F, 5 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes:\n      - ../../run/docker.sock:/x\n", F, 5 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes: [\"v:/x\"]\nvolumes:\n  v: {driver_opts: {type: none, o: bind, device: /var/run}}\n", F, 4 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes: [\"v:/x\", \"/data\", \"../shared:/s\"]\n", P, 0 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes: [\"${DIR}:/x\"]\n", U, 4 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes: [\"${DIR}:/x\", \"/:/host:ro\"]\n", F, 4 },
	{ ID_CTR_DOCKER_SOCKET, WEB "    volumes: /x:/y\n", U, 4 },
	{ ID_CTR_HOST_PATH, WEB "    volumes: [\"/etc:/e\"]\n", F, 4 },
	{ ID_CTR_HOST_PATH, WEB "    volumes: [\"/etc/localtime:/etc/localtime:ro\", \"./etc:/etc/app\"]\n", P, 0 },
	{ ID_CTR_HOST_PATH, WEB "    volumes: [\"~/.ssh:/k:ro\"]\n", F, 4 },
	{ ID_CTR_VOLUME_SHARED, WEB "    volumes: [\"/mnt:/mnt:rshared\"]\n", F, 4 },
	{ ID_CTR_VOLUME_SHARED, WEB "    volumes: [{type: bind, source: /mnt, target: /m, bind: {propagation: shared}}]\n", F, 4 },
	{ ID_CTR_VOLUME_SHARED, WEB "    volumes: [\"v:/m\"]\n", N, 0 },
	{ ID_CTR_TMPFS_TMP, WEB "    read_only: true\n    tmpfs: /tmp\n", P, 0 },
	{ ID_CTR_TMPFS_TMP, WEB "    read_only: true\n    tmpfs: [\"/run\", \"/tmp:size=64m\"]\n", P, 0 },
	{ ID_CTR_TMPFS_TMP, WEB "    read_only: true\n    volumes: [{type: tmpfs, target: /tmp, tmpfs: {size: 64m}}]\n", P, 0 },
	{ ID_CTR_TMPFS_TMP, WEB "    read_only: true\n    volumes: [\"t:/tmp\"]\n", F, 5 },
	/* ports */
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [\"5432:5432\"]\n", F, 4 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [5432]\n", F, 4 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [{target: 5432, published: \"5432\"}]\n", F, 4 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [\"127.0.0.1:5432:5432\", \"80:8080\", \"443:8443\"]\n", P, 0 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [{target: 5432, published: 5432, host_ip: 127.0.0.1}]\n", P, 0 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [\"${BIND}:5432:5432\"]\n", U, 4 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    ports: [\"${BIND:-127.0.0.1}:5432:5432\"]\n", P, 0 },
	{ ID_CTR_PUBLISHED_PORT, WEB "    expose: [5432]\n", N, 0 },
	/* environment */
	{ ID_CTR_ENV_SECRET, WEB "    environment: {DB_PASSWORD: hunter2hunter2}\n", F, 4 },
	{ ID_CTR_ENV_SECRET, WEB "    environment:\n      - DB_PASSWORD=hunter2hunter2\n", F, 5 },
	{ ID_CTR_ENV_SECRET, WEB "    environment: {DB_PASSWORD: \"${REAL_PASSWORD}\"}\n", P, 0 },
	{ ID_CTR_ENV_SECRET, WEB "    environment: [REAL_PASSWORD]\n", P, 0 },
	{ ID_CTR_ENV_SECRET, WEB "    environment: {DB_PASSWORD: \"${UNSET:-postgres}\"}\n", F, 4 },
	{ ID_CTR_ENV_SECRET, WEB "    environment: {DB_PASSWORD: \"$${literal}dollarsign\"}\n", P, 0 },
	{ ID_CTR_ENV_SECRET, WEB "    environment: {DB_PASSWORD: \"pa$$word-long-enough\"}\n", F, 4 },
	{ ID_CTR_ENV_SECRET, WEB "    env_file: app.env\n", P, 0 },
	{ ID_CTR_ENV_SECRET, WEB "    env_file: [app.env, weak.env]\n", F, 0 },
	{ ID_CTR_ENV_SECRET, WEB "    env_file: [{path: absent.env, required: false}]\n", P, 0 },
	{ ID_CTR_ENV_SECRET, WEB "    env_file: absent.env\n", U, 4 },
	{ ID_CTR_ENV_SECRET, WEB "    environment: {DB_PASSWORD_FILE: /run/secrets/db}\n    secrets: [db]\nsecrets: {db: {file: db.txt}}\n", P, 0 },
	{ ID_SECRET_KEY_LENGTH, WEB "    env_file: app.env\n", P, 0 },
	{ ID_SECRET_KEY_LENGTH, WEB "    environment: {SECRET_KEY: short}\n", F, 4 },
	{ ID_SECRET_KEY_LENGTH, WEB, N, 0 },
	/* the rest */
	{ ID_CTR_IMAGE_TAG, "services:\n  web:\n    image: redis\n", F, 3 },
	{ ID_CTR_IMAGE_TAG, "services:\n  web:\n    image: redis:${V:-latest}\n", F, 3 },
	{ ID_CTR_IMAGE_TAG, "services:\n  web:\n    image: redis:${V}\n", U, 3 },
	{ ID_CTR_IMAGE_TAG, "services:\n  web:\n    build: .\n    image: shop\n", N, 0 },
	{ ID_CTR_IMAGE_TAG, WEB, P, 0 },
	{ ID_CTR_HEALTHCHECK, WEB "    healthcheck: {test: [CMD, true]}\n", P, 0 },
	{ ID_CTR_HEALTHCHECK, WEB "    healthcheck: {disable: true}\n", F, 4 },
	{ ID_CTR_HEALTHCHECK, WEB, U, 0 },
	{ ID_CTR_RESTART_POLICY, WEB "    restart: unless-stopped\n", P, 0 },
	{ ID_CTR_RESTART_POLICY, WEB "    restart: \"no\"\n", F, 4 },
	{ ID_CTR_RESTART_POLICY, WEB "    deploy: {restart_policy: {condition: on-failure}}\n", P, 0 },
	{ ID_CTR_RESTART_POLICY, WEB "    deploy: {restart_policy: {condition: none}}\n", F, 4 },
	{ ID_CTR_HOST_NETWORK, WEB "    network_mode: host\n", F, 4 },
	{ ID_CTR_HOST_NETWORK, WEB "    network_mode: service:db\n", P, 0 },
	{ ID_CTR_HOST_PID, WEB "    pid: host\n", F, 4 },
	{ ID_CTR_HOST_IPC, WEB "    ipc: host\n", F, 4 },
	{ ID_CTR_HOST_UTS, WEB "    uts: host\n", F, 4 },
	{ ID_CTR_USERNS, WEB "    userns_mode: host\n", F, 4 },
	{ ID_CTR_DEVICES, WEB "    devices: [\"/dev/sda:/dev/sda\"]\n", F, 4 },
	{ ID_CTR_DEVICES, WEB "    devices: [{source: /dev/mem, target: /dev/mem}]\n", F, 4 },
	{ ID_CTR_DEVICES, WEB "    devices: [\"/dev/dri:/dev/dri\"]\n", P, 0 },
	/* profiles are audited like all others; extends and include */
	{ ID_CTR_PRIVILEGED, WEB "    profiles: [debug]\n    privileged: true\n", F, 5 },
	{ ID_CTR_READONLY_ROOTFS, "services:\n  base: {read_only: true, image: a:1}\n  web: {extends: base}\n", P, 0 },
	{ ID_CTR_READONLY_ROOTFS, "services:\n  web:\n    extends: {service: base, file: common.yaml}\n", P, 0 },
	{ ID_CTR_PRIVILEGED, "services:\n  web:\n    extends: {service: base, file: common.yaml}\n", F, 0 },
	{ ID_CTR_PRIVILEGED, "services:\n  web:\n    extends: {service: base, file: common.yaml}\n    privileged: false\n", P, 0 },
	{ ID_CTR_PRIVILEGED, "services:\n  web:\n    extends: {service: nobody}\n", U, 2 },
	{ ID_CTR_PRIVILEGED, "services:\n  web: {extends: {service: web}}\n", U, 2 },
	{ ID_CTR_PRIVILEGED, "services:\n  web: {extends: b}\n  b: {extends: web}\n", U, 2 },
	{ ID_CTR_PRIVILEGED, "include: [common.yaml]\nservices:\n  base: {image: b:1}\n", F, 0 },
	{ ID_CTR_PRIVILEGED, "include: [absent.yaml]\nservices:\n  other: {image: b:1}\n", U, 1 },
	{ ID_CTR_PRIVILEGED, "include: [compose.yaml]\nservices:\n  other: {image: b:1}\n", U, 1 },
	/* files that are none */
	{ ID_CTR_PRIVILEGED, "", U, 1 },
	{ ID_CTR_PRIVILEGED, "services: 7\n", U, 1 },
	{ ID_CTR_PRIVILEGED, "a: [\n", U, 0 },
	{ ID_CTR_PRIVILEGED, "services:\n  web: 7\n", U, 2 },
	{ ID_CTR_PRIVILEGED, "version: '3'\n", U, 1 },
};

static struct folder folder_with(const char *text)
{
	return (struct folder){ { { "compose.yaml", text },
				  { "/srv/shop/.env", "FIFTY=50\nREAL_PASSWORD='3f786850e387550f'\nEMPTY=\n# x\nexport OTHER=1 # c\n" },
				  { "/srv/shop/app.env", "SECRET_KEY=3f786850e387550fdab836ed7e6dc881de23001b\nDB_PASSWORD=89e6c98d92887913\n" },
				  { "/srv/shop/weak.env", "POSTGRES_PASSWORD=postgres\n" },
				  { "common.yaml", "services:\n  base:\n    read_only: true\n    privileged: true\n" } } };
}

static void test_table(void **state)
{
	static const char *const path[] = { "compose.yaml" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_arena a = { 0 };
		struct folder f = folder_with(cases[i].text);
		const struct ctr *c = service_of(&a, &f, path, 1, cases[i].id == ID_CTR_PRIVILEGED && strstr(cases[i].text, "include") ? "base" : "web");
		uint64_t line = 0;
		int v;

		CHECK(c, "no service: %s", cases[i].text);
		v = verdict_of(c, cases[i].id, &line);
		CHECK(v == cases[i].verdict, "%s: %s: %s", id_info(cases[i].id)->name, finding_verdict_name((enum finding_verdict) v), cases[i].text);
		CHECK(!cases[i].line || line == cases[i].line, "%s: line %u: %s", id_info(cases[i].id)->name, (unsigned) line, cases[i].text);
	}
}

/* What a second file changes. */
static void test_overrides(void **state)
{
	static const struct {
		const char *base, *over;
		enum id id;
		int verdict;
	} rows[] = {
		{ WEB, WEB "    read_only: true\n", ID_CTR_READONLY_ROOTFS, P },
		{ WEB "    security_opt: [label=x]\n", WEB "    security_opt: [no-new-privileges]\n", ID_CTR_NO_NEW_PRIVILEGES, P },
		{ WEB "    ports: [\"5432:5432\"]\n", WEB "    ports: [\"80:80\"]\n", ID_CTR_PUBLISHED_PORT, F },
		{ WEB "    ports: [\"5432:5432\"]\n", WEB "    ports: !override [\"127.0.0.1:5432:5432\"]\n", ID_CTR_PUBLISHED_PORT, P },
		{ WEB "    privileged: true\n", WEB "    privileged: !reset null\n", ID_CTR_PRIVILEGED, P },
		{ WEB "    environment: {DB_PASSWORD: hunter2hunter2}\n", WEB "    environment: [DB_PASSWORD=]\n", ID_CTR_ENV_SECRET, P },
		{ WEB "    volumes: [\"/run:/x\"]\n", WEB "    volumes: [\"v:/x\"]\n", ID_CTR_DOCKER_SOCKET, P },
		{ WEB "    volumes: [\"v:/x\"]\n", WEB "    volumes: [\"/run:/x\"]\n", ID_CTR_DOCKER_SOCKET, F },
		{ WEB "    healthcheck: {test: [CMD, a]}\n", WEB "    healthcheck: {test: [NONE]}\n", ID_CTR_HEALTHCHECK, F },
	};
	static const char *const paths[] = { "compose.yaml", "over.yaml" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		auto_arena a = { 0 };
		struct folder f = { { { "compose.yaml", rows[i].base }, { "over.yaml", rows[i].over } } };

		CHECK(verdict_of(service_of(&a, &f, paths, 2, "web"), rows[i].id, NULL) == rows[i].verdict, "row %zu", i);
	}
}

static void test_names(void **state)
{
	static const char *const path[] = { "compose.yaml" };
	auto_arena a = { 0 };
	struct folder f = folder_with(WEB), g = folder_with("name: other\n" WEB);

	(void) state;
	assert_string_equal(service_of(&a, &f, path, 1, "web")->name, "shop/web");
	assert_string_equal(service_of(&a, &g, path, 1, "web")->name, "other/web");
}

static void test_dotenv(void **state)
{
	static const struct {
		const char *text, *value; /* of X */
		unsigned odd;
	} rows[] = {
		{ "X=1", "1", 0 },	 { "export X=a b # c\n", "a b", 0 }, { "X='a # b'\n", "a # b", 0 }, { "X=\"a\nb\"\nY=2", "a\nb", 0 },
		{ "X=a#b\n", "a#b", 0 }, { "X=\n", "", 0 },		     { "X=1\nX=2\n", "2", 0 },	    { "X = 1\n", NULL, 1 },
		{ "\n\nX=1\r\n", "1", 0 }, { "X='open\n", "'open", 0 },	     { "A=1\nnonsense\nX=3", "3", 2 }, { "", NULL, 0 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		auto_arena a = { 0 };
		struct dotenv d;
		const struct ctr_env *e;

		assert_int_equal(dotenv_parse(&a, rows[i].text, strlen(rows[i].text), &d), 0);
		e = dotenv_find(&d, "X", 1);
		CHECK_STR(e ? e->value : NULL, rows[i].value, "row %zu", i);
		CHECK(d.odd_line == rows[i].odd, "row %zu: %u", i, d.odd_line);
	}
}

/* --- the same container four times --- */

struct config {
	bool everything; /* also what a Swarm service cannot have */
	unsigned nnp, user, restart, health, tag, env, secopt;
	bool ro, tmp, drop_all, drop_some, net_host, privileged, pid, ipc, uts, userns;
	unsigned add, bind, port, dev;
	unsigned pids, memory, cpus, swap; /* index into the tables; 0: none */
};

static const char *const users[] = { "0", "0:0", "root", "1001:1001", "node", "root:app" };
static const char *const restarts[] = { "no", "always", "on-failure" };
static const char *const images[] = { "redis", "redis:latest", "redis:7.4", "r.example:5000/a/b", "redis@sha256:ab" };
static const char *const envs[] = { "A=b", "DB_PASSWORD=hunter2hunter2", "SECRET_KEY=short", "JWT_SECRET=3f786850e387550fdab836ed7e6dc881de23001b",
	"DATABASE_URL=postgres://db/x", "POSTGRES_PASSWORD=postgres" };
static const char *const binds[] = { "", "/var/run/docker.sock", "/", "/etc", "/srv/data", "/var/run", "/etc/localtime", "/root/.ssh", "/run/../etc//cron.d" };
static const char *const adds[] = { "", "SYS_ADMIN", "NET_BIND_SERVICE", "CAP_NET_ADMIN" };
static const char *const devs[] = { "", "/dev/sda", "/dev/fuse" };
static const unsigned pid_limits[] = { 0, 50, 100, 500 };
static const unsigned memory_mib[] = { 0, 64, 512, 2048 };
static const unsigned cpu_tenths[] = { 0, 5, 15, 40 };
static const struct {
	unsigned host, container;
	const char *address;
} port_table[] = { { 0, 0, "" }, { 5432, 5432, "" }, { 80, 8080, "" }, { 3000, 3000, "" }, { 5432, 5432, "127.0.0.1" } };

static uint32_t rnd(uint32_t *s, uint32_t n)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s % n;
}

static struct config generate(uint32_t *s, bool everything)
{
	struct config c = {
		.everything = everything, .nnp = rnd(s, 2), .user = rnd(s, N_ELEMENTS(users)), .restart = rnd(s, 3), .health = rnd(s, 2),
		.tag = rnd(s, N_ELEMENTS(images)), .env = rnd(s, N_ELEMENTS(envs)), .ro = rnd(s, 2), .tmp = rnd(s, 2), .drop_all = rnd(s, 2),
		.drop_some = rnd(s, 2), .net_host = rnd(s, 4) == 0, .add = rnd(s, N_ELEMENTS(adds)), .bind = rnd(s, N_ELEMENTS(binds)),
		.port = rnd(s, N_ELEMENTS(port_table) - !everything), .pids = rnd(s, 4), .memory = rnd(s, 4), .cpus = rnd(s, 4),
		.secopt = rnd(s, 3),
	};

	if (everything) {
		c.privileged = rnd(s, 4) == 0;
		c.pid = rnd(s, 4) == 0;
		c.ipc = rnd(s, 4) == 0;
		c.uts = rnd(s, 4) == 0;
		c.userns = rnd(s, 4) == 0;
		c.dev = rnd(s, N_ELEMENTS(devs));
		c.swap = rnd(s, 3);
	}
	return c;
}

static void list_item(struct pv_buf *b, bool *any, const char *fmt, const char *text)
{
	pv_buf_puts(b, *any ? "," : "");
	*any = true;
	pv_buf_puts(b, fmt);
	pv_buf_puts(b, text);
	pv_buf_puts(b, "\"");
}

static void json_security(struct pv_buf *b, const struct config *c)
{
	bool any = false;

	pv_buf_puts(b, "\"SecurityOpt\":[");
	if (c->nnp)
		list_item(b, &any, "\"", "no-new-privileges:true");
	if (c->secopt == 1)
		list_item(b, &any, "\"", "seccomp=unconfined");
	if (c->secopt == 2)
		list_item(b, &any, "\"", "apparmor=unconfined");
	pv_buf_puts(b, "],");
}

static void json_drop(struct pv_buf *b, const struct config *c, const char *key)
{
	bool any = false;

	pv_buf_printf(b, "\"%s\":[", key);
	if (c->drop_all)
		list_item(b, &any, "\"", "ALL");
	if (c->drop_some)
		list_item(b, &any, "\"", "MKNOD");
	pv_buf_puts(b, "]");
}

static void as_inspect(struct pv_buf *b, const struct config *c)
{
	pv_buf_puts(b, "{\"Name\":\"/web\",\"HostConfig\":{");
	json_security(b, c);
	json_drop(b, c, "CapDrop");
	pv_buf_printf(b, ",\"CapAdd\":[%s%s%s],\"ReadonlyRootfs\":%s,\"Privileged\":%s,\"NetworkMode\":\"%s\",\"PidMode\":\"%s\",\"IpcMode\":\"%s\","
			 "\"UTSMode\":\"%s\",\"UsernsMode\":\"%s\",\"RestartPolicy\":{\"Name\":\"%s\"},\"PidsLimit\":%u,\"Memory\":%llu,\"NanoCpus\":%llu,"
			 "\"MemorySwap\":%lld,\"Tmpfs\":{%s},\"Devices\":[%s%s%s]",
		      *adds[c->add] ? "\"" : "", adds[c->add], *adds[c->add] ? "\"" : "", c->ro ? "true" : "false", c->privileged ? "true" : "false",
		      c->net_host ? "host" : "bridge", c->pid ? "host" : "", c->ipc ? "host" : "private", c->uts ? "host" : "", c->userns ? "host" : "",
		      restarts[c->restart], pid_limits[c->pids], (unsigned long long) memory_mib[c->memory] << 20,
		      cpu_tenths[c->cpus] * 100000000ull, c->swap == 1 ? -1ll : c->swap == 2 ? (long long) memory_mib[c->memory] << 20 : 0ll,
		      c->tmp ? "\"/tmp\":\"size=64m\"" : "", c->dev ? "{\"PathOnHost\":\"" : "", devs[c->dev], c->dev ? "\"}" : "");
	if (c->port)
		pv_buf_printf(b, ",\"PortBindings\":{\"%u/tcp\":[{\"HostIp\":\"%s\",\"HostPort\":\"%u\"}]}", port_table[c->port].container,
			      port_table[c->port].address, port_table[c->port].host);
	pv_buf_printf(b, "},\"Config\":{\"User\":\"%s\",\"Image\":\"%s\",\"Env\":[\"%s\"],\"Healthcheck\":{\"Test\":[\"%s\"]}},\"Mounts\":[", users[c->user],
		      images[c->tag], envs[c->env], c->health ? "CMD" : "NONE");
	if (c->bind)
		pv_buf_printf(b, "{\"Type\":\"bind\",\"Source\":\"%s\",\"Destination\":\"/b\",\"RW\":false,\"Propagation\":\"rprivate\"}", binds[c->bind]);
	pv_buf_puts(b, "]}");
}

static void as_swarm(struct pv_buf *b, const struct config *c)
{
	pv_buf_printf(b, "{\"Spec\":{\"Name\":\"web\",\"TaskTemplate\":{\"Networks\":[{\"Target\":\"%s\"}],\"RestartPolicy\":{\"Condition\":\"%s\"},"
			 "\"Resources\":{\"Limits\":{\"Pids\":%u,\"MemoryBytes\":%llu,\"NanoCPUs\":%llu}},\"ContainerSpec\":{\"Image\":\"%s\",\"User\":\"%s\","
			 "\"ReadOnly\":%s,\"Env\":[\"%s\"],\"Healthcheck\":{\"Test\":[\"%s\"]},\"CapabilityAdd\":[%s%s%s],",
		      c->net_host ? "host" : "shop_default", c->restart == 0 ? "none" : c->restart == 1 ? "any" : "on-failure", pid_limits[c->pids],
		      (unsigned long long) memory_mib[c->memory] << 20, cpu_tenths[c->cpus] * 100000000ull, images[c->tag], users[c->user],
		      c->ro ? "true" : "false", envs[c->env], c->health ? "CMD" : "NONE", *adds[c->add] ? "\"" : "", adds[c->add],
		      *adds[c->add] ? "\"" : "");
	json_drop(b, c, "CapabilityDrop");
	pv_buf_printf(b, ",\"Privileges\":{\"NoNewPrivileges\":%s%s},\"Mounts\":[", c->nnp ? "true" : "false",
		      c->secopt == 1 ? ",\"Seccomp\":{\"Mode\":\"unconfined\"}" : c->secopt == 2 ? ",\"AppArmor\":{\"Mode\":\"disabled\"}" : "");
	if (c->bind)
		pv_buf_printf(b, "{\"Type\":\"bind\",\"Source\":\"%s\",\"Target\":\"/b\",\"ReadOnly\":true}", binds[c->bind]);
	if (c->tmp)
		pv_buf_printf(b, "%s{\"Type\":\"tmpfs\",\"Target\":\"/tmp\",\"TmpfsOptions\":{\"SizeBytes\":67108864}}", c->bind ? "," : "");
	pv_buf_puts(b, "]}},\"EndpointSpec\":{\"Ports\":[");
	if (c->port)
		pv_buf_printf(b, "{\"TargetPort\":%u,\"PublishedPort\":%u}", port_table[c->port].container, port_table[c->port].host);
	pv_buf_puts(b, "]}}}");
}

static void yaml_lists(struct pv_buf *b, const struct config *c)
{
	if (c->nnp || c->secopt)
		pv_buf_printf(b, "    security_opt:\n%s%s", c->nnp ? "      - no-new-privileges:true\n" : "",
			      c->secopt == 1 ? "      - seccomp:unconfined\n" : c->secopt == 2 ? "      - apparmor=unconfined\n" : "");
	if (c->drop_all || c->drop_some)
		pv_buf_printf(b, "    cap_drop: [%s%s%s]\n", c->drop_all ? "ALL" : "", c->drop_all && c->drop_some ? ", " : "", c->drop_some ? "MKNOD" : "");
	if (c->add)
		pv_buf_printf(b, "    cap_add: [%s]\n", adds[c->add]);
	if (c->dev)
		pv_buf_printf(b, "    devices: [\"%s:/dev/x\"]\n", devs[c->dev]);
}

static void yaml_words(struct pv_buf *b, const struct config *c)
{
	pv_buf_printf(b, "    image: \"%s\"\n    user: \"%s\"\n    read_only: %s\n    healthcheck: {test: [%s]}\n    network_mode: %s\n", images[c->tag],
		      users[c->user], c->ro ? "true" : "false", c->health ? "CMD, x" : "NONE", c->net_host ? "host" : "bridge");
	if (c->privileged)
		pv_buf_puts(b, "    privileged: true\n");
	pv_buf_printf(b, "%s%s%s%s", c->pid ? "    pid: host\n" : "", c->ipc ? "    ipc: host\n" : "", c->uts ? "    uts: host\n" : "",
		      c->userns ? "    userns_mode: host\n" : "");
	if (c->swap == 1)
		pv_buf_puts(b, "    memswap_limit: -1\n");
	else if (c->swap == 2)
		pv_buf_printf(b, "    memswap_limit: %um\n", memory_mib[c->memory]);
}

static void as_short(struct pv_buf *b, const struct config *c)
{
	pv_buf_puts(b, "services:\n  web:\n");
	yaml_words(b, c);
	yaml_lists(b, c);
	pv_buf_printf(b, "    restart: \"%s\"\n    environment:\n      - %s\n", restarts[c->restart], envs[c->env]);
	if (c->pids)
		pv_buf_printf(b, "    pids_limit: %u\n", pid_limits[c->pids]);
	if (c->memory)
		pv_buf_printf(b, "    mem_limit: %um\n", memory_mib[c->memory]);
	if (c->cpus)
		pv_buf_printf(b, "    cpus: %u.%u\n", cpu_tenths[c->cpus] / 10, cpu_tenths[c->cpus] % 10);
	if (c->bind)
		pv_buf_printf(b, "    volumes: [\"%s:/b:ro\"]\n", binds[c->bind]);
	if (c->tmp)
		pv_buf_puts(b, "    tmpfs: /tmp:size=64m\n");
	if (c->port)
		pv_buf_printf(b, "    ports: [\"%s%s%u:%u\"]\n", port_table[c->port].address, *port_table[c->port].address ? ":" : "",
			      port_table[c->port].host, port_table[c->port].container);
}

static void as_long(struct pv_buf *b, const struct config *c)
{
	const char *env = envs[c->env], *eq = strchr(env, '=');

	pv_buf_puts(b, "x-all: &all\n  labels: {a: b}\nservices:\n  web:\n    <<: *all\n");
	yaml_words(b, c);
	yaml_lists(b, c);
	pv_buf_printf(b, "    environment:\n      %.*s: \"%s\"\n    deploy:\n      restart_policy: {condition: %s}\n      resources:\n        limits:\n          "
			 "x: y\n", (int) (eq - env), env, eq + 1, c->restart == 0 ? "none" : c->restart == 1 ? "any" : "on-failure");
	if (c->pids)
		pv_buf_printf(b, "          pids: %u\n", pid_limits[c->pids]);
	if (c->memory)
		pv_buf_printf(b, "          memory: %uMiB\n", memory_mib[c->memory]);
	if (c->cpus)
		pv_buf_printf(b, "          cpus: \"%u.%u\"\n", cpu_tenths[c->cpus] / 10, cpu_tenths[c->cpus] % 10);
	if (c->bind || c->tmp)
		pv_buf_puts(b, "    volumes:\n");
	if (c->bind)
		pv_buf_printf(b, "      - type: bind\n        source: %s\n        target: /b\n        read_only: true\n", binds[c->bind]);
	if (c->tmp)
		pv_buf_puts(b, "      - {type: tmpfs, target: /tmp, tmpfs: {size: 67108864}}\n");
	if (c->port)
		pv_buf_printf(b, "    ports:\n      - target: %u\n        published: \"%u\"\n        host_ip: \"%s\"\n", port_table[c->port].container,
			      port_table[c->port].host, port_table[c->port].address);
}

static void judge_all(const struct ctr *c, struct finding_list *l)
{
	struct check_select sel;
	struct check_policy p;

	check_policy_defaults(&p);
	assert_int_equal(check_select(&sel, "ctr,secret.key-length", NULL, (char[8]){ 0 }, 8), 0);
	assert_int_equal(check_container(c, &p, &sel, l), 0);
}

static struct ctr *read_as(struct arena *a, unsigned how, const char *text)
{
	static const char *const path[] = { "compose.yaml" };
	struct folder f = { { { "compose.yaml", text } } };
	struct ctr *c = NULL;

	if (how == 0)
		CHECK(ctr_from_inspect(a, text, strlen(text), &c) == 0, "%s", text);
	else if (how == 1)
		CHECK(ctr_from_service(a, text, strlen(text), &c) == 0, "%s", text);
	else
		c = service_of(a, &f, path, 1, "web");
	return c;
}

static void test_four_ways(void **state)
{
	static void (*const render[])(struct pv_buf *, const struct config *) = { as_inspect, as_swarm, as_short, as_long };
	uint32_t seed = 20261121;

	(void) state;
	for (unsigned i = 0; i < 3000; i++) {
		struct config c = generate(&seed, i >= 2000); /* the last thousand: what Swarm has not */
		struct finding_list first = { 0 };

		for (unsigned how = 0; how < N_ELEMENTS(render); how++) {
			struct finding_list l = { 0 };
			pv_autobuf text = PV_BUF_INIT;
			auto_arena a = { 0 };

			if (how == 1 && c.everything)
				continue;
			render[how](&text, &c);
			judge_all(read_as(&a, how, pv_buf_str(&text)), &l);
			if (how == 0) {
				first = l;
				continue;
			}
			CHECK(l.n == first.n && l.n >= 27, "%zu %zu", l.n, first.n);
			for (size_t k = 0; k < l.n; k++)
				CHECK(l.item[k]->id == first.item[k]->id && l.item[k]->verdict == first.item[k]->verdict &&
					      (l.item[k]->verdict != FINDING_FAIL || l.item[k]->severity == first.item[k]->severity),
				      "%u way %u: %s is %s, %s by inspect:\n%s", i, how, id_info(l.item[k]->id)->name,
				      finding_verdict_name(l.item[k]->verdict), finding_verdict_name(first.item[k]->verdict), pv_buf_str(&text));
			finding_list_done(&l);
		}
		finding_list_done(&first);
	}
}

static struct grade grade_of(const struct config *c)
{
	struct finding_list l = { 0 };
	pv_autobuf text = PV_BUF_INIT;
	auto_arena a = { 0 };
	struct grade g;

	as_short(&text, c);
	judge_all(read_as(&a, 2, pv_buf_str(&text)), &l);
	g = grade_subject(&l, SUBJECT_SERVICE, "shop/web");
	finding_list_done(&l);
	assert_true(g.letter);
	return g;
}

/* Taking a protection away never makes the grade better. */
static void test_weaker_is_not_better(void **state)
{
	uint32_t seed = 7;

	(void) state;
	for (unsigned i = 0; i < 300; i++) {
		struct config c = generate(&seed, true), weaker[10];
		struct grade before = grade_of(&c);

		for (size_t k = 0; k < N_ELEMENTS(weaker); k++)
			weaker[k] = c;
		weaker[0].nnp = 0;
		weaker[1].ro = false;
		weaker[2].pids = 0;
		weaker[3].memory = 0;
		weaker[4].cpus = 0;
		weaker[5].user = 1;
		weaker[6].drop_all = false;
		weaker[7].privileged = true;
		weaker[8].bind = 2;
		weaker[9].secopt = 1;
		for (size_t k = 0; k < N_ELEMENTS(weaker); k++) {
			struct grade after = grade_of(&weaker[k]);

			/* without a memory limit its swap says nothing any more, and without read_only neither does /tmp */
			CHECK(after.letter >= before.letter && after.score <= before.score + (k == 3 || k == 1 ? 5 : k == 9 ? 5 : 0), "%u.%zu: %c %u, was %c %u", i, k,
			      after.letter, after.score, before.letter, before.score);
		}
	}
}

/* --- hostile files --- */

static void test_hostile(void **state)
{
	static const char *const path[] = { "compose.yaml" };
	pv_autobuf bomb = PV_BUF_INIT, deep = PV_BUF_INIT, keys = PV_BUF_INIT, big = PV_BUF_INIT;
	const char *texts[4];
	uint64_t start = clock_monotonic_us();

	(void) state;
	pv_buf_puts(&bomb, "a0: &a0 {x: y}\n");
	for (int i = 1; i < 40; i++)
		pv_buf_printf(&bomb, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	pv_buf_puts(&bomb, "services: {web: {labels: *a39}}\n");
	for (int i = 0; i < 5000; i++)
		pv_buf_puts(&deep, "{a: ");
	pv_buf_puts(&keys, "services:\n  web:\n");
	for (int i = 0; i < 9000; i++)
		pv_buf_printf(&keys, "    k%d: v\n", i);
	big.cap = 8 << 20;
	while (big.len < 3 << 20)
		pv_buf_puts(&big, "# nothing at all, again and again\n");
	texts[0] = pv_buf_str(&bomb);
	texts[1] = pv_buf_str(&deep);
	texts[2] = pv_buf_str(&keys);
	texts[3] = pv_buf_str(&big);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		auto_arena a = { 0 };
		struct folder f = { { { "compose.yaml", texts[i] } } };
		const struct ctr *c = service_of(&a, &f, path, 1, "web");

		CHECK(c, "text %zu", i);
		CHECK(verdict_of(c, ID_CTR_PRIVILEGED, NULL) == (i == 2 ? P : U), "text %zu", i);
	}
	CHECK(clock_monotonic_us() - start < 5000000, "%llu us", (unsigned long long) (clock_monotonic_us() - start));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	  cmocka_unit_test(test_overrides), cmocka_unit_test(test_names),
		cmocka_unit_test(test_dotenv),	  cmocka_unit_test(test_four_ways), cmocka_unit_test(test_weaker_is_not_better),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
