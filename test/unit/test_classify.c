#include "bpf/classify.h"
#include "check.h"
#include "base/util.h"
#include "model/workload.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Walks down a path as the kernel does, one name at a time. */
static enum pv_class walk(const char *path, struct workload *w)
{
	enum pv_class class_ = PV_CLASS_TOP;
	char part[512];

	memset(w, 0, sizeof(*w));
	for (size_t i = 1; path[0] && i <= strlen(path); i++)
		if (path[i] == '/' || path[i] == '\0') {
			(void) snprintf(part, sizeof(part), "%.*s", (int) i, path);
			workload_classify(w, part, class_);
			class_ = w->class_;
		}
	return class_;
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		enum pv_class class_;
		const char *name;
		bool rootless;
	} cases[] = {
		{ "/docker/" HEX, PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/docker", PV_CLASS_NONE, "docker", false },
		{ "/docker/" HEX "/nested/init.scope", PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/docker/" HEX "/docker.service", PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/docker/buildkit/xk2jw8", PV_CLASS_BUILD, "xk2jw8", false },
		{ "/system.slice/docker-" HEX ".scope", PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/machine.slice/libpod-" HEX ".scope/container", PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/machine.slice/libpod-conmon-" HEX ".scope", PV_CLASS_PROTECTED, "libpod-conmon-" HEX ".scope", false },
		{ "/system.slice/web.service/libpod-payload-" HEX, PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/system.slice/web.service/runtime", PV_CLASS_UNIT, "web.service", false },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" HEX ".scope", PV_CLASS_CONTAINER,
		  "0123456789ab", true },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-" HEX ".scope", PV_CLASS_SESSION,
		  "libpod-conmon-" HEX ".scope", false },
		{ "/user.slice/user-1000.slice/session-3.scope", PV_CLASS_SESSION, "session-3.scope", false },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/miner.service", PV_CLASS_SESSION, "miner.service", false },
		{ "/user.slice/user-1000.slice/user@1000.service/init.scope", PV_CLASS_SESSION, "init.scope", false },
		{ "/system.slice/backup.service", PV_CLASS_UNIT, "backup.service", false },
		{ "/system.slice/backup.service/worker", PV_CLASS_UNIT, "backup.service", false },
		{ "/system.slice/system-getty.slice/getty@tty1.service", PV_CLASS_UNIT, "getty@tty1.service", false },
		{ "/system.slice/ssh.service", PV_CLASS_PROTECTED, "ssh.service", false },
		{ "/system.slice/sshd@4-1.2.3.4:22-5.6.7.8:99.service", PV_CLASS_PROTECTED,
		  "sshd@4-1.2.3.4:22-5.6.7.8:99.service", false },
		{ "/system.slice/docker.service", PV_CLASS_PROTECTED, "docker.service", false },
		{ "/system.slice/docker.service/" HEX, PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/system.slice/containerd.service", PV_CLASS_PROTECTED, "containerd.service", false },
		{ "/system.slice/podman-auto-update.service", PV_CLASS_PROTECTED, "podman-auto-update.service", false },
		{ "/system.slice/pavise.service/engine", PV_CLASS_PROTECTED, "pavise.service", false },
		{ "/system.slice/systemd-journald.service", PV_CLASS_PROTECTED, "systemd-journald.service", false },
		{ "/machine.slice/systemd-nspawn@box.service", PV_CLASS_UNIT, "systemd-nspawn@box.service", false },
		{ "/system.slice/dbus.service", PV_CLASS_PROTECTED, "dbus.service", false },
		{ "/system.slice/dbus-broker.service", PV_CLASS_PROTECTED, "dbus-broker.service", false },
		{ "/init.scope", PV_CLASS_PROTECTED, "init.scope", false },
		/* what only looks like one */
		{ "/system.slice/ssh.service.evil.service", PV_CLASS_UNIT, "ssh.service.evil.service", false },
		{ "/system.slice/xssh.service", PV_CLASS_UNIT, "xssh.service", false },
		{ "/foo/init.scope2", PV_CLASS_NONE, "init.scope2", false },
		{ "/docker/" "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", PV_CLASS_NONE, NULL, false },
		{ "/docker/" HEX "0", PV_CLASS_NONE, NULL, false },
		{ "/docker/" HEX ".scopf", PV_CLASS_NONE, NULL, false },
		{ "/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", PV_CLASS_NONE, NULL, false },
		{ "/kubepods.slice/cri-containerd-" HEX ".scope", PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/x/crio-" HEX ".scope", PV_CLASS_CONTAINER, "0123456789ab", false },
		{ "/x/buildah-buildah1234", PV_CLASS_BUILD, "buildah-buildah1234", false },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct workload w;
		char name[160];

		CHECK(walk(cases[i].path, &w) == cases[i].class_, "%s is %d", cases[i].path, w.class_);
		CHECK(w.rootless == cases[i].rootless, "%s", cases[i].path);
		workload_name(name, sizeof(name), &w);
		if (cases[i].name)
			CHECK_STR(name, cases[i].name, "%s", cases[i].path);
	}
}

static void test_names(void **state)
{
	struct container_info info = { .name = "shop-web-1", .project = "shop", .service = "web" };
	struct workload w = { .class_ = PV_CLASS_CONTAINER, .id = HEX, .path = "/docker/" HEX };
	char name[160], small[8];

	(void) state;
	workload_name(name, sizeof(name), &w);
	assert_string_equal(name, "0123456789ab");
	w.info = &info;
	workload_name(name, sizeof(name), &w);
	assert_string_equal(name, "shop/web");
	info.project[0] = '\0';
	workload_name(name, sizeof(name), &w);
	assert_string_equal(name, "shop-web-1");
	workload_name(small, sizeof(small), &w);
	assert_string_equal(small, "shop-we");
	assert_int_equal(workload_subject(&w), SUBJECT_CONTAINER);
	w = (struct workload){ .class_ = PV_CLASS_TOP };
	workload_name(name, sizeof(name), &w);
	assert_string_equal(name, "host");
	assert_int_equal(workload_subject(&w), SUBJECT_HOST);
	w = (struct workload){ .class_ = PV_CLASS_NONE, .cgroup = 7 };
	workload_name(name, sizeof(name), &w);
	assert_string_equal(name, "cgroup 7");
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_paths), cmocka_unit_test(test_names) };

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
