"""Confine this process as systemd would, then become another program: ``confine.py JSON PROGRAM ARGUMENTS``.

The JSON is that of ``unit_file.confinement``. Nothing but the standard library and libseccomp: it runs inside the box.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import sys
from typing import Any

ALLOW = 0x7FFF0000
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
EQUAL, MASKED_EQUAL = 4, 7
PROT_EXEC = mmap.PROT_EXEC

libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_load.argtypes = seccomp.seccomp_release.argtypes = [ctypes.c_void_p]


class Comparison(ctypes.Structure):
    """scmp_arg_cmp of seccomp.h."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


seccomp.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.POINTER(Comparison),
]


def refuse(number: int) -> int:
    """SCMP_ACT_ERRNO."""
    return 0x00050000 | number


class Filter:
    """One seccomp filter; several hold all at once."""

    def __init__(self, default: int) -> None:
        self.context = seccomp.seccomp_init(ctypes.c_uint32(default))

    def add(self, action: int, call: str, *comparisons: Comparison) -> None:
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # not a call of this processor
        array = (Comparison * len(comparisons))(*comparisons) if comparisons else None
        if seccomp.seccomp_rule_add_array(self.context, action, number, len(comparisons), array) != 0:
            raise SystemExit(f"no filter for {call}")

    def load(self) -> None:
        if seccomp.seccomp_load(self.context) != 0:
            raise SystemExit("the filter was not taken")
        seccomp.seccomp_release(self.context)


def confine(how: dict[str, Any]) -> None:
    """Give up for good what the unit does not allow."""
    os.umask(how["umask"])
    resource.setrlimit(resource.RLIMIT_CORE, (how["core"], how["core"]))
    files = min(how["open_files"], resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SystemExit("no_new_privs was refused")
    denied = Filter(ALLOW)
    for family in range(64):
        if family not in how["families"]:
            denied.add(refuse(errno.EAFNOSUPPORT), "socket", Comparison(0, EQUAL, family))
    for bit in range(32):
        if flag := how["namespaces"] & 1 << bit:
            for call in ("unshare", "clone"):
                denied.add(refuse(errno.EPERM), call, Comparison(0, MASKED_EQUAL, flag, flag))
    if how["namespaces"]:
        denied.add(refuse(errno.EPERM), "setns")
        denied.add(refuse(errno.ENOSYS), "clone3")  # its flags lie in memory; the C library then takes clone
    if how["no_exec_gain"]:
        # Both ways: systemd 252 has it by seccomp, newer ones on newer kernels by prctl.
        both = PROT_EXEC | mmap.PROT_WRITE
        denied.add(refuse(errno.EPERM), "mmap", Comparison(2, MASKED_EQUAL, both, both))
        for call in ("mprotect", "pkey_mprotect"):
            denied.add(refuse(errno.EPERM), call, Comparison(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
        if (
            libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0
            and ctypes.get_errno() != errno.EINVAL
        ):
            raise SystemExit("memory-deny-write-execute was refused")
    denied.load()
    allowed = Filter(refuse(errno.EPERM))
    for call in how["calls"]:
        allowed.add(ALLOW, call)
    allowed.load()


if __name__ == "__main__":
    confine(json.loads(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
