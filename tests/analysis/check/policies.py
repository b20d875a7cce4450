"""Policies as short texts, loaded and checked as of one fixed moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from brickscope.analysis.check.checker import check
from brickscope.analysis.check.finding import Finding
from brickscope.policy.load import Loaded, load_policy

NOW = 1_793_491_200.0  # 2026-11-01T00:00:00Z
_SUBJECTS = ("tokens", "service_principals", "users")


def complete(part: str) -> str:
    """A part of a policy with what it lacks: the version, and a token for each rule set if nobody is named."""
    found = yaml.load(part, yaml.BaseLoader)
    text = f"version: 1\n{part}"
    if not any(key in found for key in _SUBJECTS):
        lines = [
            f"  {name}-token: {{fingerprint: sha256:{index:064x}, rule_set: {name}}}"
            for index, name in enumerate(found["rule_sets"])
        ]
        text += "\n".join(["tokens:", *lines, ""])
    return text


def load(folder: Path, part: str) -> Loaded:
    """A part of a policy, loaded. Raises PolicyError."""
    file = folder / "policy.yaml"
    file.write_text(complete(part))
    return load_policy(file, NOW)


def findings(folder: Path, part: str) -> list[Finding]:
    """What a part of a policy is found to have."""
    return check(load(folder, part), NOW)


def rules(allow: list[Any], deny: list[Any] | None = None, **more: Any) -> str:
    """A policy of one rule set ``ci``."""
    entry = {"allow": allow} | ({"deny": deny} if deny else {}) | more
    return json.dumps({"rule_sets": {"ci": entry}})[1:-1] + "\n"


def codes_of(found: list[Finding]) -> dict[str, str]:
    """Code and severity of each finding; the worst where a code is there twice."""
    return {finding.code: finding.severity.value for finding in reversed(found)}


def only(found: list[Finding], code: str) -> Finding:
    """The one finding of a code."""
    (finding,) = [each for each in found if each.code == code]
    return finding
