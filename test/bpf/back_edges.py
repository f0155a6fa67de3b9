#!/usr/bin/env python3
"""back_edges.py OBJECT [llvm-objdump] - would a kernel before 6.2 take the loops of these programs?

Its check_cfg() lets a loop close only by a jump: one that is entered in the middle and whose last instruction falls
through to its head is refused ("back-edge from insn"), and newer kernels, on which one builds, do not mind."""
import re
import subprocess
import sys

objdump = sys.argv[2] if len(sys.argv) > 2 else "llvm-objdump"
text = subprocess.run([objdump, "-d", "--no-show-raw-insn", sys.argv[1]], capture_output=True, text=True, check=True).stdout


def edges(at, insn):
    """Successors in the kernel's order, each with whether it may close a loop."""
    if insn.startswith("exit"):
        return []
    m = re.search(r"goto ([+-]\d+)", insn)
    if m:
        to = at[0] + 1 + int(m.group(1))
        return [(to, True)] if not insn.startswith("if") else [(at[1], True), (to, True)]
    return [(at[1], False)]


def check(name, code):
    order = sorted(code)
    after = dict(zip(order, order[1:]))
    wide = {i: after.get(i, i + 1) for i in order}
    state, found = {}, []
    stack = [(order[0], iter(edges((order[0], wide[order[0]]), code[order[0]])))]
    state[order[0]] = 1
    while stack:
        here, todo = stack[-1]
        for to, may in todo:
            if to not in code:
                continue
            if state.get(to) == 1 and not may:
                found.append((here, to))
            if to not in state:
                state[to] = 1
                stack.append((to, iter(edges((to, wide[to]), code[to]))))
                break
        else:
            state[here] = 2
            stack.pop()
    for here, to in found:
        print(f"{name}: back-edge from insn {here} to {to}")
    return found


bad, functions, name, code = [], 0, None, {}
for line in text.splitlines() + ["0000 <end>:"]:
    m = re.match(r"[0-9a-f]+ <(.*)>:", line)
    if m and not m.group(1).startswith("LBB"):
        if name and code:
            functions += 1
            bad += check(name, code)
        name, code = m.group(1), {}
    m = re.match(r"\s+(\d+):\s+(.*)", line)
    if m:
        code[int(m.group(1))] = m.group(2)
print(f"{'not ok' if bad or not functions else 'ok'} 1 - no back edge of {functions} functions is one that kernel 6.1 refuses")
print("1..1")
sys.exit(1 if bad or not functions else 0)
