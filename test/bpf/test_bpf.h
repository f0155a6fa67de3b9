/* test_bpf.h - the suites, in the order in which they run. */
#ifndef PV_TEST_BPF_H
#define PV_TEST_BPF_H

void suite_net(void);
void suite_servers(void);
void suite_dns(void);
void suite_nat(void);
void suite_modes(void);
void suite_cgroups(void);
void suite_pins(void);
void suite_load(void);
void suite_cost(void);

#endif
