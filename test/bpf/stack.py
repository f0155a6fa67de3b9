#!/usr/bin/env python3
"""stack.py OBJECT [llvm-objdump] - how deep do the stacks of these programs get, counted as kernel 5.15 to 6.1 do?

The verifier of those adds up the frames of a chain of calls, each rounded up to 32 octets, and refuses what is beyond 512
(MAX_BPF_STACK, check_max_stack_depth()); younger kernels round to 16, so that a chain may load here and nowhere else."""
import functools
import re
import subprocess
import sys

LIMIT, ROUND = 512, 32
objdump = sys.argv[2] if len(sys.argv) > 2 else "llvm-objdump"
text = subprocess.run([objdump, "-d", "-r", sys.argv[1]], capture_output=True, text=True, check=True).stdout

section = function = last = None
at, depth, calls, found = {}, {}, {}, []  # (section, instruction): function; function: octets; function: {functions}
for line in text.splitlines():
    head = re.match(r"Disassembly of section (.*):", line)
    name = re.match(r"[0-9a-f]+ <(.*)>:", line)
    insn = re.match(r"\s+(\d+):\t([0-9a-f ]+)\t(.*)", line)
    reloc = re.search(r"R_BPF_64_32\s+(\S+)", line)
    if head:
        section = head.group(1)
    elif name and not name.group(1).startswith("LBB"):
        function = name.group(1)
        depth[function], calls[function] = 0, set()
    elif insn:
        raw, words = bytes.fromhex(insn.group(2).replace(" ", "")), insn.group(3)
        at[section, int(insn.group(1))] = function
        frame = [int(n, 0) for n in re.findall(r"r10 - (0x[0-9a-f]+|\d+)", words)]
        moved = re.match(r"(r\d) \+= -(0x[0-9a-f]+|\d+)", words)
        if moved and last == f"{moved.group(1)} = r10":
            frame.append(int(moved.group(2), 0))
        depth[function] = max([depth[function], *frame])
        if raw[0] == 0x85 and raw[1] >> 4 == 1:  # a call of ours
            found.append([function, section, int(insn.group(1)) + 1, int.from_bytes(raw[4:8], "little", signed=True), None])
        last = words
    elif reloc and found:
        found[-1][4] = reloc.group(1)
for function, section, following, offset, symbol in found:
    if symbol and symbol.startswith("."):
        to = at.get((symbol, offset + 1))
    else:
        to = symbol or at.get((section, following + offset))
    if to not in depth:
        sys.exit(f"not ok 1 - {function} calls something that is not here: {symbol}\n1..1")
    calls[function].add(to)


def frame_of(f):
    return -(-max(depth[f], 1) // ROUND) * ROUND


@functools.lru_cache(None)
def deepest(f):
    below = max((deepest(c) for c in calls[f]), default=(0, ()))
    return frame_of(f) + below[0], (f, *below[1])


programs = [f for f in depth if not any(f in c for c in calls.values())]
for n, f in enumerate(programs, 1):
    octets, chain = deepest(f)
    print(f"{'ok' if octets <= LIMIT else 'not ok'} {n} - {f}: {octets} of {LIMIT}: " + ", ".join(f"{c} {depth[c]}" for c in chain))
print(f"1..{len(programs)}")
sys.exit(any(deepest(f)[0] > LIMIT for f in programs) or len(programs) < 4)
