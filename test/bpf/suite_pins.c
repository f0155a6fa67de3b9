#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bpf/bpf.h>

#include "model/broker_proto.h"
#include "senders.h"
#include "test_bpf.h"

static const struct job tcp = { BY_CONNECT, OUT4, 3333, NULL };
static const struct job dns = { BY_SENDTO, OUT4, 53, "pool.example.com" };

static bool blocks(void)
{
	return lab_in(BOX, send_job, (void *) (uintptr_t) &tcp) == REFUSED && lab_in(BOX, send_job, (void *) (uintptr_t) &dns) == REFUSED;
}

/* What is unpinned goes in a work queue of the kernel's, in a moment. */
static bool lets_through(void)
{
	for (int i = 0; i < 50; i++) {
		if (!blocks())
			return true;
		(void) usleep(20000);
	}
	return false;
}

static uint32_t link_program(const char *name)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[300];
	int fd;

	(void) snprintf(path, sizeof(path), "%s/v%d/%s", lab_policy->bpf_dir, PV_BPF_LAYOUT, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		info.prog_id = 0;
	(void) pv_close(fd);
	return info.prog_id;
}

/* Opens the kernel side and dies without a word. */
static void die_open(void)
{
	pid_t pid;
	int status;

	lab_kernel = kernel_free(lab_kernel);
	(void) fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct kernel *k;

		_exit(kernel_open(lab_policy, &k) < 0 || kill(getpid(), SIGKILL) < 0);
	}
	(void) waitpid(pid, &status, 0);
	lab_check(WIFSIGNALED(status), "a loader dies by SIGKILL");
}

static void adoption(void)
{
	uint64_t box = lab_mkdir(BOX);
	uint32_t before = link_program("link_connect4");
	struct pv_workload w = { 0 };
	struct kernel *other;
	int r;

	lab_check(kernel_open(lab_policy, &other) == -EBUSY, "a second opener is told so");
	(void) kernel_except(lab_kernel, box, PV_ALLOW_DNS);
	(void) kernel_off(lab_kernel, 0);
	die_open();
	(void) lab_mkdir("docker/" HEX_B "/later");
	r = lab_reopen();
	lab_check(r == 0, "the next one adopts the pins: %s", strerror(-r));
	if (r < 0)
		exit(1);
	lab_check(kernel_degraded(lab_kernel) == 0, "nothing is degraded (%x)", kernel_degraded(lab_kernel));
	lab_check(before && link_program("link_connect4") != before, "the pinned link carries the new program");
	lab_check(kernel_workload(lab_kernel, box, &w) == 0 && (w.flags & PV_ALLOW_DNS), "exceptions are still there");
	(void) kernel_except(lab_kernel, box, 0);
	lab_check(kernel_workload(lab_kernel, lab_mkdir("docker/" HEX_B "/later"), &w) == 0 && w.class_ == PV_CLASS_CONTAINER,
		  "and a cgroup made while nobody was there");
	lab_check(blocks(), "and it blocks");
	(void) lab_events();
}

/* The kernel lets go of a link some time after its last pin was removed. */
static bool ends_soon(bool (*goes_on)(void))
{
	for (int i = 0; i < 100; i++) {
		if (!goes_on())
			return true;
		(void) usleep(20000);
	}
	return false;
}

static void without_daemon(void)
{
	uint64_t until = 1;

	lab_kernel = kernel_free(lab_kernel);
	lab_check(blocks(), "it blocks with nobody there");
	lab_check(kernel_off_pinned(lab_policy->bpf_dir, UINT64_MAX) == 0 && !blocks(), "off works with nobody there");
	lab_check(kernel_off_until_pinned(lab_policy->bpf_dir, &until) == 0 && until == UINT64_MAX, "and can be seen");
	lab_check(kernel_off_pinned(lab_policy->bpf_dir, 0) == 0 && blocks(), "and on");
	lab_check(kernel_unpin_all(lab_policy->bpf_dir) > 20 && ends_soon(blocks), "without pins nothing blocks");
	lab_check(kernel_off_pinned(lab_policy->bpf_dir, 1) == -ENOENT, "and off says that there is nothing");
	lab_check(lab_reopen() == 0 && blocks(), "it starts from nothing again");
}

static void tampering(void)
{
	char path[300];
	int fd;
	uint32_t r;

	lab_check(kernel_self_check(lab_kernel) == 0, "the self-check is content");
	(void) snprintf(path, sizeof(path), "%s/v%d/link_connect4", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	fd = bpf_obj_get(path);
	lab_check(fd >= 0 && bpf_link_detach(fd) == 0 && !blocks(), "somebody detaches connect4");
	(void) pv_close(fd);
	r = kernel_self_check(lab_kernel);
	lab_check(r == BROKER_DEGRADED_REPLACED && blocks() && kernel_self_check(lab_kernel) == 0, "it is found and mended (%x)", r);
	fd = bpf_obj_get(path);
	(void) snprintf(path, sizeof(path), "%s/v%d/link_connect6", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	(void) unlink(path);
	(void) snprintf(path, sizeof(path), "%s/v%d/map_conf", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	(void) unlink(path);
	(void) pv_close(fd);
	r = kernel_self_check(lab_kernel);
	lab_check(r == BROKER_DEGRADED_REPLACED && link_program("link_connect6") && access(path, F_OK) == 0,
		  "pins that were removed come back (%x)", r);
	(void) lab_events();
}

/* Pins of another layout: taken over link by link, and gone afterwards. */
static void layouts(void)
{
	char from[300], to[300], path[400];
	struct stat st;

	lab_check(kernel_off(lab_kernel, UINT64_MAX) == 0 && !blocks(), "off");
	lab_kernel = kernel_free(lab_kernel);
	(void) snprintf(from, sizeof(from), "%s/v%d", lab_policy->bpf_dir, PV_BPF_LAYOUT);
	(void) snprintf(to, sizeof(to), "%s/v%d", lab_policy->bpf_dir, PV_BPF_LAYOUT + 7);
	(void) snprintf(path, sizeof(path), "%s/link_connect4", to);
	lab_check(rename(from, to) == 0 && stat(path, &st) == 0 && !blocks(), "off, by the pins of another layout");
	lab_check(lab_reopen() == 0 && stat(to, &st) < 0 && !blocks() && kernel_off_until(lab_kernel) == UINT64_MAX, "what is off stays off with ours");
	lab_check(kernel_off(lab_kernel, 0) == 0 && blocks(), "and on again");
	lab_kernel = kernel_free(lab_kernel);
	lab_check(rename(from, to) == 0 && stat(path, &st) == 0 && blocks(), "pins of another layout block");
	lab_check(lab_reopen() == 0 && stat(to, &st) < 0 && blocks(), "ours take over and theirs are gone");
	lab_check(kernel_off(lab_kernel, UINT64_MAX) == 0 && lets_through(), "switched off");
	lab_kernel = kernel_free(lab_kernel);
	lab_check(rename(from, to) == 0 && lab_reopen() == 0 && stat(to, &st) < 0, "another layout again");
	lab_check(kernel_off_until(lab_kernel) == UINT64_MAX && !blocks(), "what was switched off stays so over a change of layout");
	lab_check(kernel_off(lab_kernel, 0) == 0 && blocks(), "until it is switched on");
}

/* Somebody sits at the root and suffers nobody beside. */
static void root_taken(void)
{
	struct bpf_insn pass[] = { { .code = 0xb7, .dst_reg = 0, .imm = 1 }, { .code = 0x95 } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	int prog, root, opened, sat = -1;
	uint32_t r;

	lab_kernel = kernel_free(lab_kernel);
	(void) kernel_unpin_all(lab_policy->bpf_dir);
	prog = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "squatter", "GPL", pass, 2, &opts);
	root = open(lab_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 100 && sat < 0; i++) { /* our links go a moment after their last holder */
		sat = bpf_prog_attach(prog, root, BPF_CGROUP_INET4_CONNECT, BPF_F_ALLOW_OVERRIDE);
		if (sat < 0)
			(void) usleep(10000);
	}
	if (sat < 0) {
		lab_skip("cannot sit at the root");
		(void) lab_reopen();
		return;
	}
	opened = lab_reopen();
	if (opened < 0) {
		lab_check(false, "opened with somebody at the root: %s", strerror(-opened));
		return;
	}
	lab_check((kernel_degraded(lab_kernel) & BROKER_DEGRADED_BELOW) && blocks(),
		  "attached one level below, said so (%x: %s), and it blocks", kernel_degraded(lab_kernel),
		  kernel_reason(lab_kernel, BROKER_DEGRADED_BELOW));
	(void) lab_mkdir("newcomer");
	(void) kernel_self_check(lab_kernel);
	lab_check(lab_in("newcomer", send_job, (void *) (uintptr_t) &tcp) == REFUSED, "a cgroup that came later is covered by the next check");
	(void) bpf_prog_detach2(prog, root, BPF_CGROUP_INET4_CONNECT);
	(void) lab_events();
	r = kernel_self_check(lab_kernel);
	lab_check(r == 0 && blocks(), "it goes to the root when that is free again (%x)", r);
	lab_check(lab_events()->n[EVENT_NET] == 1, "and judges once");
	(void) pv_close(prog);
	(void) pv_close(root);
	lab_kernel = kernel_free(lab_kernel);
	(void) kernel_unpin_all(lab_policy->bpf_dir);
	lab_check(lab_reopen() == 0, "a fresh start");
}

void suite_pins(void)
{
	(void) lab_mkdir(BOX "/nested");
	adoption();
	without_daemon();
	tampering();
	layouts();
	root_taken();
	(void) lab_events();
}
