/* test_bpf - the programs in the kernel against real sockets. Prints TAP; needs root and cgroup v2. */
#include "lab.h"
#include "test_bpf.h"

static const struct {
	const char *name;
	void (*run)(void);
} suites[] = {
	/* First: once a process has moved out of its container, as in `cgroups`, connect4 takes 100 ns more, and hardly any machine has seen that. */
	{ "cost", suite_cost },
	{ "net", suite_net }, { "metadata", suite_metadata },	{ "servers", suite_servers }, { "dns", suite_dns },   { "nat", suite_nat }, { "opening", suite_opening }, { "modes", suite_modes },
	{ "cgroups", suite_cgroups }, { "pins", suite_pins }, { "exec", suite_exec }, { "load", suite_load },
};

int main(int argc, char **argv)
{
	int r;

	lab_start();
	for (size_t i = 0; i < N_ELEMENTS(suites); i++)
		if (argc < 2 || strcmp(argv[1], suites[i].name) == 0)
			suites[i].run();
	r = lab_summary();
	lab_end();
	return r;
}
