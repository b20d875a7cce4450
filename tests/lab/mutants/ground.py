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
        ("proxy/gate.py",),
        ("proxy/test_gate.py", "proxy/test_gate_placeholders.py", "proxy/test_gate_secrets.py"),
    ),
    "log": Ground(
        (
            "log/chain.py",
            "log/closed.py",
            "log/ending.py",
            "log/extent.py",
            "log/file.py",
            "log/head.py",
            "log/key.py",
            "log/record.py",
            "log/statistics.py",
            "log/writer.py",
        ),
        (
            "log/test_audit_keys.py",
            "log/test_chain.py",
            "log/test_closed_files.py",
            "log/test_ending.py",
            "log/test_extent.py",
            "log/test_file.py",
            "log/test_group_commit.py",
            "log/test_record.py",
            "log/test_record_fields.py",
            "log/test_statistics.py",
            "log/test_writer.py",
            "log/test_writer_files.py",
            "log/test_writer_restart.py",
            "log/test_writer_state.py",
        ),
    ),
}
