"""A policy with some of everything, for what is said about policies."""

from __future__ import annotations

from pathlib import Path

from brickscope.core.fingerprint import fingerprint
from brickscope.policy.load import Loaded, load_policy

TOKEN = b"dapi0123456789abcdef0123456789abcdef"
NOW = 1_790_000_000.0  # 2026-09-21
HOME = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"

POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: {fingerprint(TOKEN)}
    rule_set: runner
    clients: [10.0.8.0/24]
    workspaces: [{HOME}]
    expires: 2027-03-01
  old:
    fingerprint: sha256:{"1" * 64}
    rule_set: runner
    expires: 2026-01-01
  watch:
    fingerprint: sha256:{"2" * 64}
    rule_set: reader
    mode: monitor
service_principals:
  etl:
    client_id: 6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e
    rule_set: runner
users:
  alice:
    sub: alice@example.com
    rule_set: reader
    workspaces: [{HOME}]
logins:
  people:
    client_id: databricks-cli
    grants: [browser_login, refresh]
rule_sets:
  runner:
    allow:
      - jobs.list
      - operation: jobs.run_now
        where: {{job_id: [1012, 1013]}}
        only: [notebook_params]
      - {{service: clusters, class: read}}
      - GET /api/2.0/fs/files/Volumes/main/{{path...}}
      - GET /api/2.0/sql/queries
      - GET /api/2.0/jobs/get
      - operation: permissions.update
        where: {{request_object_type: notebooks}}
      - GET /internal/health
    deny:
      - jobs.delete
      - GET /api/2.0/fs/files/Volumes/main/secret/{{path...}}
  reader:
    allow:
      - preset: read-only
"""


def load(folder: Path, text: str = POLICY, now: float = NOW) -> Loaded:
    """A policy of one file, loaded."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.yaml").write_text(text)
    return load_policy(folder, now)
