#include "base/clock.h"
#include "engine_api/answer.h"

#include "check.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* ---- recorded answers: Docker 20.10, Podman 4.3 ---- */

static char *recorded(const char *name, size_t *ret_len)
{
	const char *source = getenv("PV_TEST_SOURCE");
	static char text[4][65536];
	static unsigned turn;
	char path[512], *p = text[turn++ % 4];
	FILE *f;

	snprintf(path, sizeof(path), "%s/unit/data/engine_api/%s", source ? source : "test", name);
	f = fopen(path, "re");
	CHECK(f, "%s (set PV_TEST_SOURCE to the folder test/)", path);
	*ret_len = fread(p, 1, sizeof(text[0]) - 1, f);
	p[*ret_len] = '\0';
	fclose(f);
	return p;
}

struct listed {
	struct container_info c[4];
	int n;
};

static int keep(const struct container_info *c, void *arg)
{
	struct listed *l = arg;

	assert_true(l->n < 4);
	l->c[l->n++] = *c;
	return 0;
}

static void check_address(const struct ip_addr *a, const char *want)
{
	pv_autobuf text = PV_BUF_INIT;

	ip_format(&text, a);
	CHECK_STR(pv_buf_str(&text), want, "address");
}

static void test_docker_list(void **state)
{
	struct listed l = { .n = 0 };
	size_t len;
	char *http = recorded("docker-list.http", &len);
	pv_auto(http_answer) h = NULL;
	const struct pv_buf *body;

	(void) state;
	assert_int_equal(http_answer_new(1 << 20, &h), 0);
	assert_int_equal(http_answer_feed(h, http, len), 1);
	assert_int_equal(http_answer_status(h), 200);
	body = http_answer_body(h);
	assert_int_equal(answer_list(pv_buf_str(body), body->len, ENGINE_DOCKER, keep, &l), 2);
	assert_int_equal(l.n, 2);
	CHECK_STR(l.c[0].name, "plain", "name");
	assert_true(l.c[0].host_network && l.c[0].running && !l.c[0].inspected);
	CHECK_STR(l.c[1].name, "shop_web_1", "name");
	CHECK_STR(l.c[1].project, "shop", "project");
	CHECK_STR(l.c[1].service, "web", "service");
	CHECK_STR(l.c[1].id, "c6fc490f71095d223a06dade82d1c66ab526a07aac03955e79558032e66561a8", "id");
	CHECK_STR(l.c[1].image, "bb:1", "image");
	CHECK_STR(l.c[1].image_id, "sha256:7f829b9370f308a11e4b2d033d30c90963741d1001254b4bdb729f8ce882fcbd", "image id");
	assert_int_equal(l.c[1].n_networks, 1);
	CHECK_STR(l.c[1].networks[0], "shop_backend", "lower case");
	check_address(&l.c[1].addresses[0][0], "172.30.7.2");
	check_address(&l.c[1].addresses[0][1], "::");
	for (size_t i = 0; i < SIGNAL_N; i++) /* a summary knows no exceptions */
		assert_int_equal(l.c[1].label_action[i], ACTION_N);
}

static void test_docker_inspect(void **state)
{
	size_t len, image_len;
	char *json = recorded("docker-inspect-compose.json", &len), *image = recorded("docker-image.json", &image_len);
	struct container_info c;

	(void) state;
	assert_int_equal(answer_inspect(json, len, image, image_len, ENGINE_DOCKER, &c), 0);
	CHECK_STR(c.name, "shop_web_1", "name");
	CHECK_STR(c.project, "shop", "project");
	CHECK_STR(c.restart_policy, "on-failure", "policy");
	assert_int_equal(c.restart_max, 3);
	assert_int_equal(c.pid, 12427);
	assert_true(c.running && c.inspected && !c.host_network);
	assert_true(c.started_us == UINT64_C(1795297912843896)); /* 2026-11-21T21:51:52.843896 */
	CHECK_STR(c.networks[0], "shop_backend", "network");
	/* memory=alert is the container's; cpu=ignore and pids=alert came with the image; net never counts */
	assert_int_equal(c.label_action[SIGNAL_MEMORY], ACTION_ALERT);
	assert_int_equal(c.label_action[SIGNAL_CPU], ACTION_N);
	assert_int_equal(c.label_action[SIGNAL_PIDS], ACTION_N);
	assert_int_equal(c.label_action[SIGNAL_NET], ACTION_N);
	/* the image is not known: none counts */
	assert_int_equal(answer_inspect(json, len, NULL, 0, ENGINE_DOCKER, &c), 0);
	assert_int_equal(c.label_action[SIGNAL_MEMORY], ACTION_N);
	assert_int_equal(answer_inspect(json, len, "{\"mess\":", 8, ENGINE_DOCKER, &c), 0);
	assert_int_equal(c.label_action[SIGNAL_MEMORY], ACTION_N);
	json = recorded("docker-inspect-host.json", &len);
	assert_int_equal(answer_inspect(json, len, image, image_len, ENGINE_DOCKER, &c), 0);
	assert_true(c.host_network);
	CHECK_STR(c.restart_policy, "always", "policy");
	CHECK_STR(c.project, "", "none");
}

static void test_swarm(void **state)
{
	size_t len;
	char *json = recorded("docker-inspect-task.json", &len), *at;
	struct container_info c;
	struct service_info s;

	(void) state;
	assert_int_equal(answer_inspect(json, len, NULL, 0, ENGINE_DOCKER, &c), 0);
	CHECK_STR(c.project, "shop", "stack");
	CHECK_STR(c.service, "api", "the stack's prefix is gone");
	CHECK_STR(c.service_id, "qkvun5cpywyklpk6wz5jpy974", "service id");
	CHECK_STR(c.task_id, "ze0bn1tbopsx8t5oddfg6bmdn", "task id");
	CHECK_STR(c.restart_policy, "no", "an empty policy is none");
	/* the same labels on a container of another name are an image's lie */
	at = strstr(json, "\"Name\":\"/shop_api.1.");
	assert_non_null(at);
	memcpy(at + 9, "shop_xpi.1.", 11);
	assert_int_equal(answer_inspect(json, len, NULL, 0, ENGINE_DOCKER, &c), 0);
	CHECK_STR(c.service_id, "", "not believed");
	CHECK_STR(c.service, "", "not believed");
	json = recorded("docker-service.json", &len);
	assert_int_equal(answer_service(json, len, &s), 0);
	CHECK_STR(s.name, "shop_api", "service");
	assert_true(!s.global && s.replicas == 1 && s.version == 11);
	json = recorded("docker-service-global.json", &len);
	assert_int_equal(answer_service(json, len, &s), 0);
	assert_true(s.global && s.version == 14);
}

static void test_podman(void **state)
{
	size_t len, image_len;
	char *json = recorded("podman-list.json", &len), *image;
	struct listed l = { .n = 0 };
	struct container_info c;

	(void) state;
	assert_int_equal(answer_list(json, len, ENGINE_PODMAN, keep, &l), 1);
	CHECK_STR(l.c[0].name, "pod_web_1", "name");
	CHECK_STR(l.c[0].project, "pod", "project");
	assert_true(l.c[0].running && l.c[0].n_networks == 0);
	json = recorded("podman-inspect.json", &len);
	image = recorded("podman-image.json", &image_len);
	assert_int_equal(answer_inspect(json, len, image, image_len, ENGINE_PODMAN, &c), 0);
	CHECK_STR(c.service, "web", "service");
	CHECK_STR(c.restart_policy, "no", "policy");
	assert_int_equal(c.pid, 14212);
	assert_int_equal(c.engine, ENGINE_PODMAN);
	assert_int_equal(c.label_action[SIGNAL_CPU], ACTION_ALERT); /* the image says ignore: the container's own counts */
	assert_int_equal(c.label_action[SIGNAL_PIDS], ACTION_N);
	assert_true(c.started_us == UINT64_C(1795297934506026));
}

static int keep_net(const char *name, const struct ip_prefix *p, void *arg)
{
	struct pv_buf *out = arg;

	pv_buf_printf(out, "%s=", name);
	ip_prefix_format(out, p);
	pv_buf_putc(out, ' ');
	return 0;
}

static void test_networks(void **state)
{
	static const struct {
		const char *json, *want;
		int r;
	} made[] = {
		{ "[]", "", 0 },
		{ "[{\"Name\":\"a\"},{\"Name\":\"b\",\"IPAM\":{\"Config\":null}},7,null]", "", 0 },
		{ "[{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"0.0.0.0/0\"},{\"Subnet\":\"::/0\"},{\"Subnet\":\"10.0.0.0/8\"},"
		  "{\"Subnet\":\"11.0.0.0/7\"},{\"Subnet\":\"fd00:1::/64\"},{\"Subnet\":7},{\"Subnet\":\"x\"}]}}]",
		  "x=10.0.0.0/8 x=fd00:1::/64 ", 2 },
		{ "{}", "", -EBADMSG },
		{ "[", "", -EBADMSG },
		{ "", "", -EBADMSG },
	};
	pv_autobuf out = PV_BUF_INIT;
	size_t len;
	char *json = recorded("docker-networks.json", &len);

	(void) state;
	assert_int_equal(answer_networks(json, len, keep_net, &out), 2);
	CHECK_STR(pv_buf_str(&out), "bridge=10.99.0.0/24 Shop_Backend=172.30.7.0/24 ", "docker");
	pv_buf_clear(&out);
	json = recorded("podman-networks.json", &len);
	assert_int_equal(answer_networks(json, len, keep_net, &out), 1);
	CHECK_STR(pv_buf_str(&out), "bridge=10.88.0.0/16 ", "podman");
	for (size_t i = 0; i < N_ELEMENTS(made); i++) {
		int r;

		pv_buf_clear(&out);
		r = answer_networks(made[i].json, strlen(made[i].json), keep_net, &out);
		CHECK(r == made[i].r, "%s: %d", made[i].json, r);
		CHECK_STR(pv_buf_str(&out), made[i].want, "%s", made[i].json);
	}
}

/* Type/action of every recorded line, with what else it tells. */
static void events_of(const char *name, struct pv_buf *out)
{
	size_t len;
	char *text = recorded(name, &len), *save = NULL;
	struct engine_event ev;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		CHECK(answer_event(line, strlen(line), &ev) == 0, "%s", line);
		assert_true(ev.time_us / USEC_PER_SEC >= 1795297900 && ev.time_us / USEC_PER_SEC < 1795298300);
		pv_buf_printf(out, "%c:%s", ev.type[0], ev.action);
		if (ev.exit_code >= 0)
			pv_buf_printf(out, "=%d", ev.exit_code);
		if (*ev.network)
			pv_buf_printf(out, "(%s%s)", ev.network, *ev.id ? "" : "!");
		pv_buf_putc(out, ' ');
	}
}

static void test_events(void **state)
{
	static const struct {
		const char *json;
		int r;
	} made[] = {
		{ "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ID_A "\"}}", 0 },
		{ "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ID_A "\"},\"timeNano\":1e300}", 0 },
		{ "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ID_A "\"},\"timeNano\":-1}", 0 },
		{ "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"short\"}}", -EBADMSG },
		{ "{\"Type\":\"container\",\"Action\":\"start\"}", -EBADMSG },
		{ "{\"Type\":\"container\",\"Action\":\"\",\"Actor\":{\"ID\":\"" ID_A "\"}}", -EBADMSG },
		{ "{\"Type\":\"container\",\"Action\":\"st\\u001bart\",\"Actor\":{\"ID\":\"" ID_A "\"}}", 0 },
		{ "{\"Type\":7,\"Action\":\"start\"}", -EBADMSG },
		{ "{\"Type\":\"a type that is too long\",\"Action\":\"start\"}", -EBADMSG },
		{ "{\"Type\":\"network\",\"Action\":\"create\"}", 0 },
		{ "[]", -EBADMSG },
		{ "{}{}", -EBADMSG },
	};
	pv_autobuf out = PV_BUF_INIT;
	struct engine_event ev;

	(void) state;
	events_of("docker-events.jsonl", &out);
	CHECK_STR(pv_buf_str(&out),
		  "n:create(Shop_Backend!) c:create n:connect(Shop_Backend) c:start c:create n:connect(host) c:start "
		  "c:exec_create c:exec_start c:exec_die c:kill c:die=137 n:disconnect(host) c:kill c:destroy c:die=137 "
		  "n:disconnect(Shop_Backend) c:destroy n:destroy(Shop_Backend!) ",
		  "docker");
	pv_buf_clear(&out);
	events_of("podman-events.jsonl", &out);
	CHECK_STR(pv_buf_str(&out),
		  "c:create c:init c:start c:exec c:exec_died c:exec_died c:kill c:die=137 c:cleanup c:remove ", "podman");
	for (size_t i = 0; i < N_ELEMENTS(made); i++) {
		int r = answer_event(made[i].json, strlen(made[i].json), &ev);

		CHECK(r == made[i].r, "%s: %d", made[i].json, r);
	}
}

static void test_event_names(void **state)
{
	static const struct {
		const char *action, *attributes;
		const char *name, *image, *service;
	} who[] = {
		{ "create", "{\"name\":\"x\",\"image\":\"node:20\"}", "x", "node:20", "" },
		{ "start", "{\"name\":\"x\",\"image\":\"node:20\"}", "x", "node:20", "" },
		{ "create", "{\"name\":\"x\\u001b[2J\",\"image\":7}", "x?[2J", "", "" },
		{ "create", "{\"name\":\"shop-web-1\",\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\"}", "shop-web-1", "", "web" },
		{ "create", "{\"name\":\"x\",\"pavise.cpu\":\"ignore\"}", "x", "", "" },
		{ "create", "{\"name\":\"x\",\"name\":\"y\"}", "", "", "" },
		{ "create", "[]", "", "", "" },
		{ "die", "{\"name\":\"x\",\"image\":\"node:20\"}", "", "", "" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(who); i++) {
		struct engine_event ev;
		char json[512];

		(void) snprintf(json, sizeof(json), "{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"" ID_A "\",\"Attributes\":%s}}",
				who[i].action, who[i].attributes);
		assert_int_equal(answer_event(json, strlen(json), &ev), 0);
		CHECK_STR(ev.who.name, who[i].name, "%s", json);
		CHECK_STR(ev.who.image, who[i].image, "%s", json);
		CHECK_STR(ev.who.service, who[i].service, "%s", json);
		assert_true(!*who[i].name || (!ev.who.inspected && !ev.who.running && strcmp(ev.who.id, ID_A) == 0));
		assert_true(!*who[i].name || ev.who.label_action[SIGNAL_CPU] == ACTION_N); /* a label counts when the image's are known */
	}
}

/* ---- made-up answers ---- */

static int inspect(const char *labels, const char *image_labels, struct container_info *c)
{
	pv_autobuf json = PV_BUF_INIT;
	pv_autobuf image = PV_BUF_INIT;

	pv_buf_printf(&json, "{\"Id\":\"" ID_A "\",\"Name\":\"/x\",\"Config\":{\"Labels\":%s}}", labels);
	if (image_labels)
		pv_buf_printf(&image, "{\"Id\":\"sha256:1\",\"Config\":{\"Labels\":%s}}", image_labels);
	return answer_inspect(json.data, json.len, image_labels ? image.data : NULL, image.len, ENGINE_DOCKER, c);
}

#define COMPOSE "\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\""

static void test_identity(void **state)
{
	static const struct {
		const char *labels, *image;
		const char *project, *service;
	} whose[] = {
		{ "{" COMPOSE "}", NULL, "shop", "web" },
		{ "{" COMPOSE "}", "{}", "shop", "web" },
		{ "{" COMPOSE "}", "null", "shop", "web" },
		/* an image that claims to be somebody */
		{ "{" COMPOSE "}", "{" COMPOSE "}", "", "" },
		{ "{" COMPOSE ",\"com.docker.compose.container-number\":\"1\"}",
		  "{" COMPOSE ",\"com.docker.compose.container-number\":\"1\"}", "", "" },
		/* an image that Compose built, run by Compose */
		{ "{" COMPOSE ",\"com.docker.compose.container-number\":\"1\"}", "{" COMPOSE "}", "shop", "web" },
		/* an image that Compose built for another project */
		{ "{" COMPOSE "}", "{\"com.docker.compose.project\":\"dev\",\"com.docker.compose.service\":\"app\"}", "shop", "web" },
		{ "{\"com.docker.compose.project\":\"shop\"}", "{}", "", "" },
		{ "{\"io.podman.compose.project\":\"p\",\"io.podman.compose.service\":\"s\"}", "{}", "p", "s" },
		{ "{\"io.podman.compose.project\":\"p\",\"com.docker.compose.service\":\"s\"}", "{}", "p", "s" },
		{ "{\"com.docker.compose.project\":7,\"com.docker.compose.service\":[]}", "{}", "", "" },
		{ "{\"com.docker.compose.project\":\"a\\u001b[31m\\nb\",\"com.docker.compose.service\":\"\\u007f\"}", "{}", "a?[31m?b", "?" },
		{ "{" COMPOSE "," COMPOSE "}", "{}", "", "" }, /* given twice: not read */
		{ "7", "{}", "", "" },
		{ "null", "{}", "", "" },
	};
	struct container_info c;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(whose); i++) {
		CHECK(inspect(whose[i].labels, whose[i].image, &c) == 0, "case %zu", i);
		CHECK_STR(c.project, whose[i].project, "case %zu", i);
		CHECK_STR(c.service, whose[i].service, "case %zu", i);
	}
}

static void test_exceptions(void **state)
{
	static const struct {
		const char *labels, *image;
		enum pv_action cpu, net, dns;
	} cases[] = {
		{ "{\"pavise.cpu\":\"ignore\"}", "{}", ACTION_IGNORE, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"alert\"}", "null", ACTION_ALERT, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"ignore\"}", "{\"pavise.cpu\":\"ignore\"}", ACTION_N, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"ignore\"}", "{\"pavise.cpu\":\"alert\"}", ACTION_IGNORE, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"ignore\"}", NULL, ACTION_N, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"kill\"}", "{}", ACTION_N, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"IGNORE\"}", "{}", ACTION_N, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":true}", "{}", ACTION_N, ACTION_N, ACTION_N },
		{ "{\"pavise.cpu\":\"ignore\",\"pavise.cpu\":\"ignore\"}", "{}", ACTION_N, ACTION_N, ACTION_N },
		{ "{\"pavise.net\":\"ignore\",\"pavise.dns\":\"alert\"}", "{}", ACTION_N, ACTION_N, ACTION_N },
	};
	struct container_info c;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CHECK(inspect(cases[i].labels, cases[i].image, &c) == 0, "case %zu", i);
		CHECK(c.label_action[SIGNAL_CPU] == cases[i].cpu, "case %zu: %d", i, c.label_action[SIGNAL_CPU]);
		CHECK(c.label_action[SIGNAL_NET] == cases[i].net, "case %zu", i);
		CHECK(c.label_action[SIGNAL_DNS] == cases[i].dns, "case %zu", i);
	}
}

static void test_log_label(void **state)
{
	static const struct {
		const char *labels, *image, *service;
	} cases[] = {
		{ "{\"pavise.logs\":\"nginx\"}", "{}", "nginx" },
		{ "{\"pavise.logs\":\"nginx\"}", "{\"pavise.logs\":\"nginx\"}", "" },
		{ "{\"pavise.logs\":\"nginx\"}", NULL, "" },
		{ "{\"pavise.logs\":\"Nginx: x\"}", "{}", "" },
		{ "{\"pavise.logs\":7}", "{}", "" },
	};
	struct container_info c;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CHECK(inspect(cases[i].labels, cases[i].image, &c) == 0, "case %zu", i);
		CHECK_STR(c.log_service, cases[i].service, "case %zu", i);
	}
}

static void test_started(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} cases[] = {
		{ "1970-01-01T00:00:01Z", 1000000 },
		{ "2026-11-21T22:51:52.5+01:00", UINT64_C(1795297912500000) },
		{ "2026-11-21T21:51:52.123456789Z", UINT64_C(1795297912123456) },
		{ "0001-01-01T00:00:00Z", 0 },
		{ "2026-11-21T21:51:52", 0 },
		{ "2026-11-21 21:51:52Z", 0 },
		{ "2026-11-21T21:51:52.Zx", 0 },
		{ "9999-99-99T99:99:99+99:99", 0 },
		{ "", 0 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf json = PV_BUF_INIT;
		struct container_info c;

		pv_buf_printf(&json, "{\"Id\":\"" ID_A "\",\"State\":{\"StartedAt\":\"%s\",\"Pid\":-5}}", cases[i].text);
		assert_int_equal(answer_inspect(json.data, json.len, NULL, 0, ENGINE_DOCKER, &c), 0);
		CHECK(c.started_us == cases[i].us, "%s: %llu", cases[i].text, (unsigned long long) c.started_us);
		assert_int_equal(c.pid, 0);
	}
}

static void add_network(struct pv_buf *b, const char *name, size_t i)
{
	pv_buf_printf(b, "%s\"%s%zu\":{\"IPAddress\":\"10.0.0.%zu\"}", i ? "," : "", name, i, i);
}

/* 20 networks, one of a 70-byte name, one with a control character: 16 are kept, the rest is counted. */
static void test_many_networks(void **state)
{
	pv_autobuf json = PV_BUF_INIT;
	struct container_info c;

	(void) state;
	pv_buf_puts(&json, "{\"Id\":\"" ID_A "\",\"NetworkSettings\":{\"Networks\":{");
	add_network(&json, "0123456789012345678901234567890123456789012345678901234567890123456789", 0);
	add_network(&json, "a\\u0007", 1);
	for (size_t i = 2; i < 20; i++)
		add_network(&json, "Net", i);
	pv_buf_puts(&json, "}}}");
	assert_int_equal(answer_inspect(json.data, json.len, NULL, 0, ENGINE_DOCKER, &c), 0);
	assert_int_equal(c.n_networks, 16);
	assert_int_equal(c.networks_skipped, 4);
	CHECK_STR(c.networks[0], "net2", "the first that fits");
}

/* However the engine spells them; a text that is none is none. */
static void test_addresses(void **state)
{
	static const struct {
		const char *v4, *v6, *want4, *want6;
	} cases[] = {
		{ "10.0.0.9", "fd00:99::242:a63:2", "10.0.0.9", "fd00:99::242:a63:2" },
		{ "", "FD00:0099:0000::0242:0A63:0002", "::", "fd00:99::242:a63:2" },
		{ "10.0.0.9", "", "10.0.0.9", "::" },
		{ "10.0.0.9/24", "fd00::x", "::", "::" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		pv_autobuf json = PV_BUF_INIT;
		struct container_info c;

		pv_buf_printf(&json, "{\"Id\":\"" ID_A "\",\"NetworkSettings\":{\"Networks\":{\"n\":{\"IPAddress\":\"%s\",\"GlobalIPv6Address\":\"%s\"}}}}",
			      cases[i].v4, cases[i].v6);
		assert_int_equal(answer_inspect(json.data, json.len, NULL, 0, ENGINE_DOCKER, &c), 0);
		assert_int_equal(c.n_networks, 1);
		check_address(&c.addresses[0][0], cases[i].want4);
		check_address(&c.addresses[0][1], cases[i].want6);
	}
}

static void test_long_names(void **state)
{
	pv_autobuf json = PV_BUF_INIT;
	struct container_info c;

	(void) state;
	pv_buf_puts(&json, "{\"Id\":\"" ID_A "\",\"Name\":\"/");
	for (size_t i = 0; i < 126; i++)
		pv_buf_putc(&json, 'n');
	pv_buf_puts(&json, "\xc3\xa4\xc3\xa4\"}"); /* the character that does not fit whole is left out */
	assert_int_equal(answer_inspect(json.data, json.len, NULL, 0, ENGINE_DOCKER, &c), 0);
	assert_int_equal(strlen(c.name), 126);
}

/* Bounds hold before anything is allocated for the answer. */
static void test_bounds(void **state)
{
	pv_autobuf deep = PV_BUF_INIT;
	pv_autobuf wide = PV_BUF_INIT;
	struct container_info c;
	struct listed l = { .n = 0 };
	char *huge = malloc(200u << 20);

	(void) state;
	assert_non_null(huge);
	for (int i = 0; i < 100000; i++)
		pv_buf_putc(&deep, '[');
	assert_int_equal(answer_list(deep.data, deep.len, ENGINE_DOCKER, keep, &l), -EFBIG);
	pv_buf_putc(&wide, '[');
	for (int i = 0; i < 500000; i++)
		pv_buf_puts(&wide, "0,");
	pv_buf_puts(&wide, "0]");
	assert_int_equal(answer_list(wide.data, wide.len, ENGINE_DOCKER, keep, &l), -EFBIG);
	memset(huge, '[', 200u << 20);
	assert_int_equal(answer_inspect(huge, 200u << 20, NULL, 0, ENGINE_DOCKER, &c), -EFBIG);
	assert_int_equal(inspect("{}", "{}", &c), 0);
	free(huge);
	assert_int_equal(l.n, 0);
}

static void test_wrong_types(void **state)
{
	static const struct {
		const char *json;
		int r;
	} lists[] = {
		{ "[{\"Id\":\"no\"},{\"Id\":7},null,[],\"x\",{\"Id\":\"" ID_A "\",\"Names\":\"x\",\"Labels\":[1],\"State\":{}}]", 1 },
		{ "[{\"Id\":\"" ID_A "\",\"Id\":\"" ID_A "\"}]", 0 },
		{ "[{\"Id\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]", 0 },
		{ "[{\"Id\":\"" ID_A "\",\"Names\":[\"/other/alias\",\"/mine\"],\"NetworkSettings\":{\"Networks\":[1,{}]}}]", 1 },
		{ "[{\"Id\":\"" ID_A "\"}] x", -EBADMSG },
		{ "[{\"Id\":\"" ID_A "\"}]\n", 1 },
		{ "{\"message\":\"no\"}", -EBADMSG },
		{ "null", -EBADMSG },
		{ "\"\\ud800\"", -EBADMSG },
		{ "", -EBADMSG },
	};
	static const char *const services[] = { "{}", "[]", "{\"Spec\":{\"Name\":\"\",\"Mode\":{}}}", "{\"Spec\":{\"Name\":\"x\"}}",
						"{\"Spec\":[]}", "{\"message\":\"page not found\"}" };
	struct service_info s;

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
		struct listed l = { .n = 0 };
		int r = answer_list(lists[i].json, strlen(lists[i].json), ENGINE_DOCKER, keep, &l);

		CHECK(r == lists[i].r, "%s: %d", lists[i].json, r);
		CHECK(l.n == PV_MAX(r, 0), "%s", lists[i].json);
		if (i == 3)
			CHECK_STR(l.c[0].name, "mine", "not the link's");
	}
	for (size_t i = 0; i < N_ELEMENTS(services); i++)
		CHECK(answer_service(services[i], strlen(services[i]), &s) == -EBADMSG, "%s", services[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker_list), cmocka_unit_test(test_docker_inspect), cmocka_unit_test(test_swarm),
		cmocka_unit_test(test_podman),	    cmocka_unit_test(test_networks),	   cmocka_unit_test(test_events),
		cmocka_unit_test(test_event_names),
		cmocka_unit_test(test_identity),    cmocka_unit_test(test_exceptions), cmocka_unit_test(test_log_label),	   cmocka_unit_test(test_started),
		cmocka_unit_test(test_many_networks), cmocka_unit_test(test_addresses), cmocka_unit_test(test_long_names),   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_wrong_types),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
