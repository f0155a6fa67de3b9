#!/usr/bin/env python3
"""since.py OBJECT - would kernel 5.15 know every helper, instruction and map that these programs use?

Helper numbers are never reused (include/uapi/linux/bpf.h, __BPF_FUNC_MAPPER); beside each the kernel it appeared in. One that is
not in the table is a failure: look it up, and if it is younger than 5.15 the program needs a fall-back."""
import os
import re
import struct
import sys

OLDEST = (5, 15)
HELPERS = {  # number: name, kernel
    1: ("map_lookup_elem", (3, 19)), 2: ("map_update_elem", (3, 19)), 3: ("map_delete_elem", (3, 19)),
    5: ("ktime_get_ns", (4, 1)), 8: ("get_smp_processor_id", (4, 1)), 26: ("skb_load_bytes", (4, 5)),
    35: ("get_current_task", (4, 8)), 79: ("skb_cgroup_id", (4, 18)), 80: ("get_current_cgroup_id", (4, 18)),
    93: ("spin_lock", (5, 1)), 94: ("spin_unlock", (5, 1)), 95: ("sk_fullsock", (5, 1)), 96: ("tcp_sock", (5, 1)), 107: ("sk_storage_get", (5, 2)), 108: ("sk_storage_delete", (5, 2)),
    158: ("get_current_task_btf", (5, 11)), 175: ("task_pt_regs", (5, 15)),
    109: ("send_signal", (5, 3)), 112: ("probe_read_user", (5, 5)),
    113: ("probe_read_kernel", (5, 5)), 115: ("probe_read_kernel_str", (5, 5)),
    130: ("ringbuf_output", (5, 8)), 131: ("ringbuf_reserve", (5, 8)), 132: ("ringbuf_submit", (5, 8)),
}
# From 5.8 on cgroup programs, too, get probe_read_kernel and get_current_task (bpf_base_func_proto, with CAP_PERFMON).
MAPS = {"HASH": (3, 19), "ARRAY": (3, 19), "PERCPU_ARRAY": (4, 6), "LRU_HASH": (4, 10), "LPM_TRIE": (4, 11), "SK_STORAGE": (5, 2), "RINGBUF": (5, 8)}
SECTIONS = {"cgroup_skb/egress": (4, 10), "cgroup_skb/ingress": (4, 10), "cgroup/connect": (4, 17), "cgroup/sendmsg": (4, 18),
            "cgroup/recvmsg": (5, 2), "tp_btf/": (5, 5), "fentry/": (5, 5), "raw_tracepoint/": (4, 17), ".text": (4, 16)}  # .text: calls within

CALL, GOTOL = 0x85, 0x06  # gotol, sign-extending loads and moves, bswap, signed division: -mcpu=v4, kernel 6.6
LDSX, BSWAP, MOVS, DIVS = {0x81, 0x89, 0x91}, 0xd7, {0xbc, 0xbf}, {0x34, 0x37, 0x3c, 0x3f, 0x94, 0x97, 0x9c, 0x9f}
n = bad = 0


def ok(good, what):
    global n, bad
    n += 1
    bad += not good
    print(f"{'ok' if good else 'not ok'} {n} - {what}")


def sections(elf):
    """(name, bytes) of every section that holds instructions; ELF64, little endian."""
    at, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    heads = [struct.unpack_from("<IIQQQQ", elf, at + i * size) for i in range(count)]
    base = heads[names][4]
    for name, kind, flags, _, offset, length in heads:
        if kind == 1 and flags & 4:
            yield elf[base + name:elf.index(b"\0", base + name)].decode(), elf[offset:offset + length]


def instructions(code):
    at = 0
    while at < len(code):
        op, regs, off, imm = struct.unpack_from("<BBhi", code, at)
        yield op, regs >> 4, off, imm
        at += 16 if op == 0x18 else 8  # a load of 64 bits has two slots


with open(sys.argv[1], "rb") as f:
    object_ = f.read()
used, young, programs = set(), [], 0
for name, code in sections(object_):
    programs += 1
    ok(next((v for k, v in SECTIONS.items() if name.startswith(k)), (99, 0)) <= OLDEST, f"section {name}")
    for op, src, off, imm in instructions(code):
        if op == CALL and src == 0:
            used.add(imm)
        elif op == CALL and src == 2:
            young.append(f"{name}: a kernel function")
        elif op == GOTOL or op in LDSX or op == BSWAP or (op in MOVS and off) or (op in DIVS and off):
            young.append(f"{name}: an instruction of -mcpu=v4 ({op:#x})")
for helper in sorted(used):
    what, since = HELPERS.get(helper, ("not in the table", (99, 0)))
    ok(since <= OLDEST, f"helper {helper} {what}: since {since[0]}.{since[1]}")
ok(programs > 3 and used, f"{programs} sections, {len(used)} helpers")
ok(not young, "no instruction and no kernel function is younger" + "".join("\n#   " + y for y in young))
src = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "bpf", "maps.h")
for kind in sorted(set(re.findall(r"__uint\(type, BPF_MAP_TYPE_(\w+)\)", open(src).read()))):
    ok(MAPS.get(kind, (99, 0)) <= OLDEST, f"map type {kind}")
print(f"1..{n}")
sys.exit(1 if bad else 0)
