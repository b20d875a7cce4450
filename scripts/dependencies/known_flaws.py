"""``scripts/known-flaws``: requirements.txt held against the feed of known vulnerabilities, by pip-audit.

pip-audit tells a feed that is not there in three ways: it ends with a traceback, it says that it could not connect, or,
where an index without that feed stands in PyPI's place, it finds none of the packages and no flaw in any of them. None of
these may pass for "no known flaw", nor fail a build that has no fault.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parents[2] / "requirements.txt"
COMMAND = (
    "-m",
    "pip_audit",
    "--disable-pip",
    "--require-hashes",
    "--progress-spinner",
    "off",
    "--format",
    "json",
)
UNREACHABLE = re.compile(r"ConnectionError|Could not connect|not redirecting properly|Timeout|ServiceError")


class AuditFailed(Exception):
    """pip-audit failed for a reason of its own; the message is what it said."""


class Found(NamedTuple):
    """``flaws``: a line each. ``checked``: packages that the feed knows. ``unchecked``: those it could not be asked for."""

    flaws: list[str]
    checked: list[str]
    unchecked: list[str]


def read(output: str, errors: str) -> Found | None:
    """What pip-audit found; None if it reached no feed. Raises AuditFailed."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        if UNREACHABLE.search(errors):
            return None
        raise AuditFailed(errors or output) from None
    return Found(
        [
            f"{each['name']} {each['version']}: {', '.join([flaw['id'], *flaw['aliases']])}; "
            f"fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
            for each in dependencies
            for flaw in each.get("vulns", ())
        ],
        [each["name"] for each in dependencies if "vulns" in each],
        [each["name"] for each in dependencies if "vulns" not in each],
    )


def judge(found: Found | None) -> tuple[int, list[str]]:
    """The exit status, and the lines to print."""
    if found is None or not found.checked:
        return 0, [
            "NOT CHECKED: the feed of known vulnerabilities can't be reached from here; no flaw was looked for"
        ]
    said = [*found.flaws]
    if found.unchecked:
        said.append(f"NOT CHECKED: the feed does not know {', '.join(found.unchecked)}")
    said.append(f"{len(found.checked)} packages of {FILE.name} were checked: {len(found.flaws)} known flaws")
    return int(bool(found.flaws)), said


def main() -> None:
    """Exit status 0: no flaw is known, or none could be looked for, which is said; 1: there is one; 2: pip-audit failed."""
    done = subprocess.run(
        [sys.executable, *COMMAND, "--requirement", str(FILE)], capture_output=True, text=True, check=False
    )
    try:
        status, said = judge(read(done.stdout, done.stderr))
    except AuditFailed as error:
        status, said = 2, [f"pip-audit failed:\n{error}"]
    sys.stdout.write("".join(f"known flaws: {line}\n" for line in said))
    sys.exit(status)


if __name__ == "__main__":
    main()
