/* test_bpf.h - the suites, in the order in which they run. */
#ifndef PV_TEST_BPF_H
#define PV_TEST_BPF_H

#include <stdbool.h>

void suite_net(void);
void suite_metadata(void);
void suite_servers(void);
void suite_dns(void);
void suite_nat(void);
void suite_opening(void);
void suite_modes(void);
void suite_cgroups(void);
void suite_pins(void);
void suite_exec(void);
void suite_load(void);
void suite_cost(void);

/* suite_exec.c, for the cost: a container in which the image's program can be run. */
bool exec_box_begin(void);
int exec_box_run(int n);
int exec_box_tell(int n); /* dropped ones, which are told */
void exec_box_end(void);

#endif
