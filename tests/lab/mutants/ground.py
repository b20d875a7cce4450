"""Where code is broken, and which tests have to see it: fast ones that stand next to it, none that starts a process."""

from __future__ import annotations

from typing import NamedTuple


class Ground(NamedTuple):
    """Files below ``addon/brickscope`` (patterns), and the tests below ``tests`` that are to fail."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


GROUNDS = {
    "core": Ground(("core/*.py",), ("core",)),
    "gate": Ground(
        ("proxy/gate.py",), ("proxy/test_gate.py", "proxy/test_gate_passes.py", "proxy/test_gate_secrets.py")
    ),
    "log": Ground(
        (
            "audit/chain.py",
            "audit/closed.py",
            "audit/ending.py",
            "audit/extent.py",
            "audit/file.py",
            "audit/handshake.py",
            "audit/head.py",
            "audit/key.py",
            "audit/record.py",
            "audit/statistics.py",
            "audit/writer.py",
        ),
        (
            "audit/test_audit_keys.py",
            "audit/test_closed_files.py",
            "audit/test_ending.py",
            "audit/test_extent.py",
            "audit/test_file.py",
            "audit/test_record.py",
            "audit/test_record_fields.py",
            "audit/test_statistics.py",
            "audit/test_writer.py",
            "audit/test_writer_files.py",
            "audit/test_writer_restart.py",
            "audit/test_writer_state.py",
        ),
    ),
}
