"""The words for whoever starts without a policy: where the first one goes, and what it looks like."""

from __future__ import annotations

from pathlib import Path

EXAMPLE = """\
version: 1
tokens:
  nightly-export:
    fingerprint: sha256:...   # of the token; `brickscope fingerprint` prints it
    rule_set: catalog-reader
rule_sets:
  catalog-reader:             # whatever is not allowed here is denied
    allow:
      - GET /api/2.1/unity-catalog/catalogs
"""


def how_to_begin(path: Path) -> str:
    """What to do where no policy is. ``path``: the folder that was looked in, or the file."""
    file = path if path.suffix in (".yaml", ".yml") else path / "policy.yaml"
    return f"There is no policy in {path}. Name its folder (--set scope_rules=FOLDER), or write {file}:\n\n{EXAMPLE}"
