/* Any text is the rules of a firewall. A packet that meets a drop at the hook's first chain is dropped, whatever else was read;
 * walking ends, and says one of three things. */
#include <assert.h>
#include <string.h>

#include "check/fw_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned send(const struct fw *fw, enum fw_hook hook, bool v6, bool udp, uint16_t port)
{
	struct fw_packet p = { .v6 = v6, .udp = udp, .dst_local = true, .src = fw_stranger(v6), .dport = port, .orig_dport = port, .iif = "eth0" };

	assert(ip_parse(v6 ? "2001:db8::1" : "192.0.2.1", &p.dst) == 0);
	p.orig_dst = p.dst;
	return fw_hook(fw, hook, &p);
}

static void ignore(unsigned lo, unsigned hi, bool udp, void *user)
{
	(void) lo;
	(void) hi;
	(void) udp;
	(void) user;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char wall[] = "*own\n:INPUT DROP [0:0]\nCOMMIT\n";
	const char *text = (const char *) data;
	auto_arena a = { 0 };
	struct fw fw = { .arena = &a };

	a.cap = 32 << 20;
	assert(fw_read_iptables(&fw, wall, strlen(wall), false) == 0);
	if (size && *text == '{')
		(void) fw_read_nft(&fw, text, size);
	else
		(void) fw_read_iptables(&fw, text, size, false);
	fw_link(&fw);
	(void) fw_names_port(&fw, 22);
	fw_each_dnat(&fw, ignore, NULL);
	for (unsigned hook = FW_INGRESS; hook < FW_NO_HOOK; hook++)
		for (unsigned i = 0; i < 4; i++) {
			unsigned v = send(&fw, (enum fw_hook) hook, i & 1, i & 2, 5432);

			assert(v == FW_PASSES || v == FW_STOPS || v == (FW_PASSES | FW_STOPS));
		}
	return 0;
}
