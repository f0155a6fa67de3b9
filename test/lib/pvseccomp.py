"""What a running process's system call filters answer: they are read from the kernel (PTRACE_SECCOMP_GET_FILTER) and run
here, so that a test asks `may this role call bpf(2)?` of the very filter that is in force."""

import ctypes
import os
import platform
import struct

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_GET_FILTER = 0x4206, 0x4207, 17, 0x420C
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {  # asm/unistd.h
    "x86_64": {"read": 0, "openat": 257, "socket": 41, "connect": 42, "bind": 49, "listen": 50, "clone": 56, "execve": 59,
               "execveat": 322, "ptrace": 101, "setuid": 105, "mount": 165, "init_module": 175, "unshare": 272,
               "process_vm_readv": 310, "setns": 308, "bpf": 321, "open_by_handle_at": 304, "io_uring_setup": 425},
}
ACTIONS = {0x80000000: "kill", 0: "kill", 0x00030000: "trap", 0x00050000: "errno", 0x7FFF0000: "allow", 0x7FFC0000: "log"}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(what, pid, addr=None, data=None):
    r = _libc.ptrace(what, pid, addr, data)
    if r < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r


def filters(pid):
    """The filters of a process, as lists of (code, jt, jf, k), newest first."""
    out = []
    _ptrace(PTRACE_SEIZE, pid)
    try:
        _ptrace(PTRACE_INTERRUPT, pid)
        os.waitpid(pid, 0)
        while True:
            try:
                n = _ptrace(PTRACE_GET_FILTER, pid, len(out), None)
            except OSError:
                return out
            room = ctypes.create_string_buffer(n * 8)
            _ptrace(PTRACE_GET_FILTER, pid, len(out), ctypes.addressof(room))
            out.append(list(struct.iter_unpack("<HBBI", room.raw)))
    finally:
        _ptrace(PTRACE_DETACH, pid)


def run(prog, nr, arch):
    """Classic BPF, the part that seccomp filters use."""
    data = struct.pack("<IIQ6Q", nr, arch, 0, *[0] * 6)
    a = x = pc = 0
    mem = [0] * 16
    while True:
        code, jt, jf, k = prog[pc]
        pc += 1
        kind = code & 7
        if kind == 0:
            a = struct.unpack_from("<I", data, k)[0] if code & 0xE0 == 0x20 else mem[k] if code & 0xE0 == 0x60 else k
        elif kind == 1:
            x = mem[k] if code & 0xE0 == 0x60 else k
        elif kind == 2:
            mem[k] = a
        elif kind == 4:
            v, op = (x if code & 8 else k), code & 0xF0
            a = {0x00: a + v, 0x10: a - v, 0x40: a | v, 0x50: a & v, 0xA0: a ^ v}[op] & 0xFFFFFFFF
        elif kind == 5:
            v, op = (x if code & 8 else k), code & 0xF0
            if op == 0:
                pc += k
            else:
                pc += jt if {0x10: a == v, 0x20: a > v, 0x30: a >= v, 0x40: bool(a & v)}[op] else jf
        elif kind == 6:
            return a if code & 0x18 == 0x10 else k
        else:
            x, a = (a, a) if code & 0xF8 == 0 else (x, x)


def answers(pid, names):
    """name -> "allow", "errno" or "kill": the strictest of the process's filters. None where this cannot be asked."""
    machine = platform.machine()
    if machine not in NUMBERS:
        return None
    progs = filters(pid)
    if not progs:
        return {n: "allow" for n in names}
    rank = ["kill", "trap", "errno", "log", "allow"]
    out = {}
    for name in names:
        got = [ACTIONS.get(run(p, NUMBERS[machine][name], ARCH[machine]) & 0xFFFF0000, "errno") for p in progs]
        out[name] = min(got, key=rank.index)
    return out
