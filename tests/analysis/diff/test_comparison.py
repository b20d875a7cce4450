"""Comparisons: what changes in meaning is said, each opening is proved, and "nothing newly allowed" is never wrong."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml
from hypothesis import example, settings
from hypothesis import strategies as st

from analysis.policies import NOW, POLICY
from brickscope.analysis.answer import render
from brickscope.analysis.call import Call, read_call
from brickscope.analysis.diff.comparison import Comparison, compare_versions
from brickscope.analysis.diff.origin import Version, load_version
from brickscope.analysis.diff.report import data
from brickscope.analysis.diff.rule_sets import Effect
from brickscope.analysis.example import example as example_call
from brickscope.analysis.judge import find, judge
from brickscope.analysis.sent import CallError
from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import ABSENT
from brickscope.core.reason import Kind
from brickscope.policy.problem import PolicyError
from reaching import reaching


def version(folder: Path, text: str, name: str) -> Version:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return load_version(str(file), NOW)


def diff(folder: Path, old: str, new: str) -> Comparison:
    return compare_versions(version(folder, old, "old"), version(folder, new, "new"), NOW)


def effects(said: Comparison) -> dict[str, str]:
    """Each thing that changed with its effect."""
    found = {change.key: change.effect.value for change in said.policy}
    for subject in said.subjects:
        found |= {f"{subject.who.name}.{change.key}": change.effect.value for change in subject.bindings}
    for group in said.groups:
        found |= {each.name: each.effect.value for each in group.changes}
    return found


def check_proofs(said: Comparison) -> int:
    """Every proof was denied by the old version and goes on under the new one. Returns how many there are."""
    bindings = [change for subject in said.subjects for change in subject.bindings]
    changes = [*bindings, *(change for group in said.groups for change in group.changes)]
    proofs = [change.proof for change in changes if change.proof is not None]
    renamed = {subject.who.name: subject.renamed for subject in said.subjects if subject.renamed}
    for proof in proofs:
        now = judge(
            said.new.policy, find(said.new.policy, proof.subject), proof.call, proof.now, proof.client
        )
        assert now.forwards, proof
        try:
            before = find(said.old.policy, renamed.get(proof.subject, proof.subject))
        except CallError:
            continue  # nobody: denied
        was = judge(said.old.policy, before, proof.call, proof.now, proof.client)
        assert not was.allow, proof
        assert now.allow or not was.forwards, proof
    return len(proofs)


RUN = "operation: jobs.run_now\n        where: {job_id: [1012, 1013]}\n        only: [notebook_params]"
EDITS: dict[str, tuple[str, str, dict[str, str]]] = {
    "an operation more": ("- jobs.list\n", "- jobs.list\n      - jobs.get\n", {"jobs.get": "wider"}),
    "a path more that is no operation": (
        "- GET /internal/health\n",
        "- GET /internal/health\n      - GET /internal/{x}/y\n",
        {"GET /internal/{x}/y": "allowed"},
    ),
    "a wider path": (
        "- GET /internal/health\n",
        "- GET /internal/{x}\n",
        {"GET /internal/{x}": "allowed"},
    ),
    "a narrower path": (
        "Volumes/main/{path...}\n      - GET /api/2.0/sql",
        "Volumes/main/a/{path...}\n      - GET /api/2.0/sql",
        {"files.download": "narrower"},
    ),
    "an operation less": ("      - jobs.list\n", "", {"jobs.list": "denied"}),
    "a path instead of a name": ("- jobs.list\n", "- GET /api/2.2/jobs/list\n", {"jobs.list": "narrower"}),
    "a name instead of a path": ("- GET /api/2.0/jobs/get\n", "- jobs.get\n", {"jobs.get": "wider"}),
    "a value more": ("[1012, 1013]", "[1012, 1013, 7]", {"jobs.run_now": "wider"}),
    "a value less": ("[1012, 1013]", "[1012]", {"jobs.run_now": "narrower"}),
    "another value": ("[1012, 1013]", "[1012, 7]", {"jobs.run_now": "other"}),
    "the same values otherwise": ("[1012, 1013]", '["1013", 1012]', {}),
    "a parameter more": (
        "only: [notebook_params]",
        "only: [notebook_params, jar_params]",
        {"jobs.run_now": "wider"},
    ),
    "any parameter": ("        only: [notebook_params]\n", "", {"jobs.run_now": "wider"}),
    "no condition": (RUN, "jobs.run_now", {"jobs.run_now": "wider"}),
    "a deny less": ("      - jobs.delete\n", "", {}),
    "a deny that mattered": (
        "      - GET /api/2.0/fs/files/Volumes/main/secret/{path...}\n",
        "",
        {"files.download": "wider"},
    ),
    "a deny more": ("- jobs.delete\n", "- jobs.delete\n      - clusters.get\n", {"clusters.get": "denied"}),
    "a deny with a condition": (
        "- jobs.delete\n",
        "- jobs.delete\n      - operation: clusters.get\n        where: {cluster_id: a}\n",
        {"clusters.get": "narrower"},
    ),
    "another rule set": ("rule_set: runner\n    clients", "rule_set: reader\n    clients", None),  # type: ignore[dict-item]
    "a network more": ("[10.0.8.0/24]", "[10.0.8.0/24, 192.0.2.0/24]", {"ci.clients": "wider"}),
    "a wider network": ("[10.0.8.0/24]", "[10.0.0.0/16]", {"ci.clients": "wider"}),
    "a narrower network": ("[10.0.8.0/24]", "[10.0.8.0/25]", {"ci.clients": "narrower"}),
    "any network": ("    clients: [10.0.8.0/24]\n", "", {"ci.clients": "wider"}),
    "another workspace": (
        "workspaces: [dbc-a1b2c3d4-e5f6.cloud.databricks.com]\n    expires",
        "workspaces: [dbc-x.cloud.databricks.com]\n    expires",
        {"ci.workspaces": "other"},
    ),
    "later": ("expires: 2027-03-01", "expires: 2027-04-01", {"ci.expires": "wider"}),
    "alive again": ("    expires: 2026-01-01\n", "", {"old.expires": "wider"}),
    "earlier": ("expires: 2027-03-01", "expires: 2027-02-01", {"ci.expires": "narrower"}),
    "a grant more": (
        "grants: [browser_login, refresh]",
        "grants: [browser_login, refresh, federation]",
        {"people.grants": "wider"},
    ),
    "a grant less": ("grants: [browser_login, refresh]", "grants: [refresh]", {"people.grants": "narrower"}),
    "enforced": ("    mode: monitor\n", "", {"watch.mode": "narrower"}),
    "monitored": (
        "    expires: 2027-03-01\n",
        "    expires: 2027-03-01\n    mode: monitor\n",
        {"ci.mode": "wider"},
    ),
    "all monitored": (
        "version: 1\n",
        "version: 1\nmode: monitor\n",
        {"mode": "wider", **{f"{name}.mode": "wider" for name in ("ci", "old", "etl", "alice", "people")}},
    ),
    "another token": ("1" * 64, "7" * 64, {"old.fingerprint": "other"}),
    "a second token": (
        f"sha256:{'1' * 64}",
        f"[sha256:{'1' * 64}, sha256:{'7' * 64}]",
        {"old.fingerprint": "wider"},
    ),
    "an issuer": (
        "rule_sets:\n",
        "issuers:\n  company: {issuer: https://accounts.cloud.databricks.com/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a}\nrule_sets:\n",
        {
            "issuer https://accounts.cloud.databricks.com/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a": "wider"
        },
    ),
    "a description": ("  runner:\n", "  runner:\n    description: what CI does\n", {}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_said_by_what_it_means(tmp_path: Path, edit: str) -> None:
    before, after, expected = EDITS[edit]
    assert before in POLICY
    new = POLICY.replace(before, after, 1)
    said = diff(tmp_path, POLICY, new)
    if expected is None:
        assert effects(said)["tables.get"] == "allowed"
        assert effects(said)["jobs.run_now"] == "denied"
    else:
        assert effects(said) == expected
    opens = any(Effect(effect).opens for effect in effects(said).values())
    assert said.opens is opens
    proved = check_proofs(said)
    # A new mark or issuer is a credential, which no call by name can show.
    if opens and not any(key.endswith(".fingerprint") or key.startswith("issuer ") for key in effects(said)):
        assert proved, render("diff", data(said))
    assert render("diff", data(said))
    assert data(said)["newly_allowed"] is opens


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "workspace.export, where: {path: {prefix: /Users/me/}}",
            "workspace.export, where: {path: {prefix: /Workspace/Users/me/}}",
        ),
        ("tables.get, where: {full_name: Main.A.T}", "tables.get, where: {full_name: main.a.t}"),
        ("secrets.get_secret, where: {scope: PROD}", "secrets.get_secret, where: {scope: prod}"),
        ("jobs.get, where: {job_id: '7'}", "jobs.get, where: {job_id: 7}"),
    ],
)
@pytest.mark.parametrize("part", ["allow", "deny"])
def test_two_spellings_of_one_object_are_no_difference(part: str, old: str, new: str, tmp_path: Path) -> None:
    after = "- jobs.list\n" if part == "allow" else "- jobs.delete\n"
    made = [POLICY.replace(after, f"{after}      - {{operation: {rule}}}\n") for rule in (old, new)]
    assert made[0] != POLICY
    found = diff(tmp_path, *made)
    assert effects(found) == {}
    assert found.old.policy.revision == found.new.policy.revision


def test_subjects_that_come_go_and_are_renamed(tmp_path: Path) -> None:
    new = POLICY.replace("  ci:\n", "  builder:\n").replace("  people:\n", "  folk:\n")
    new = new.replace("  alice:\n    sub: alice@example.com", "  bob:\n    sub: bob@example.com")
    said = diff(tmp_path, POLICY, new)
    assert {each.who.name: (each.status, each.renamed) for each in said.subjects} == {
        "alice": ("removed", None),
        "bob": ("added", None),
        "builder": ("changed", "ci"),
        "folk": ("changed", "people"),
    }
    by_name = {group.subjects: group for group in said.groups}
    changes = {name: [each for each in group.changes if each.operation] for name, group in by_name.items()}
    assert {each.effect for each in changes[("bob",)]} == {Effect.ALLOWED}
    assert {each.effect for each in changes[("alice",)]} == {Effect.DENIED}
    assert check_proofs(said) >= 500
    text = "\n".join(render("diff", data(said)))
    assert "builder (token) was ci" in text
    reads = len(changes[("bob",)])
    assert f"+ {reads} operations  newly allowed ({reads} read)" in text


def test_a_proof_holds_within_the_bindings_of_its_subject(tmp_path: Path) -> None:
    said = diff(tmp_path, POLICY, POLICY.replace("- jobs.list\n", "- jobs.list\n      - jobs.get\n"))
    ((change,),) = (group.changes for group in said.groups)
    proof = change.proof
    assert (change.name, proof is not None) == ("jobs.get", True)
    assert (proof.subject, proof.client) == ("ci", "10.0.8.1")
    assert proof.before.startswith("no_rule_matches")
    assert proof.call.text.startswith("GET https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/api/2.2/jobs/get")


def test_what_nobody_can_tell_counts_as_newly_allowed(tmp_path: Path) -> None:
    old = POLICY.replace(RUN, "{operation: jobs.run_now, where: {idempotency_token: {prefix: '10'}}}")
    new = POLICY.replace(RUN, "{operation: jobs.run_now, where: {idempotency_token: {pattern: '10x'}}}")
    said = diff(tmp_path, old, new)
    assert effects(said) == {"jobs.run_now": "unclear"}
    assert said.opens
    assert "not clear: it may be wider" in "\n".join(render("diff", data(said)))


# -- properties ----------------------------------------------------------------------------------------------------

_RULES = [
    "jobs.list",
    "jobs.*",
    {"service": "jobs", "class": "read"},
    {"operation": "jobs.run_now", "where": {"job_id": 1}},
    {"operation": "jobs.run_now", "where": {"job_id": [1, 2]}},
    {"operation": "jobs.run_now", "where": {"job_id": {"min": 1, "max": 5}}},
    {"operation": "jobs.run_now", "where": {"job_id": {"max": 3, "optional": True}}},
    {"operation": "jobs.run_now", "where": {"job_id": 1, "queue.enabled": True}},
    {"operation": "jobs.run_now", "where": {"jar_params": {"absent": True}}},
    {"operation": "jobs.run_now", "where": {"notebook_params": {"only": ["day"]}}, "only": ["job_id"]},
    {"operation": "jobs.run_now", "only": ["job_id", "notebook_params"]},
    {"operation": "workspace.list", "where": {"path": {"prefix": "/Workspace/a/"}}},
    {"operation": "workspace.list", "where": {"path": {"prefix": "/Workspace/"}}},
    {"operation": "workspace.list", "where": {"path": {"pattern": "/Workspace/{x}/src"}}},
    {"operation": "workspace.list", "where": {"path": {"pattern": "/Workspace/{x...}"}}},
    {"operation": "files.upload", "where": {"file_path": {"prefix": "Volumes/main/"}}},
    {"operation": "files.upload", "only": ["overwrite"]},
    {"operation": "permissions.get", "where": {"request_object_type": ["notebooks", "files"]}},
    "GET /api/2.2/jobs/list",
    "GET /api/2.0/jobs/{x}",
    "GET /api/2.0/{x...}",
    "GET /api/2.0/permissions/{type}/{id}",
    "GET /api/2.0/permissions/notebooks/7",
    "PUT /api/2.0/fs/files/Volumes/main/{x...}",
    "GET /internal/{x}",
    "GET /internal/{x}:run",
    "GET /internal/{x...}",
    "GET /internal/health",
]
_CALLS = [
    "jobs.list",
    "GET /api/2.0/jobs/list",
    "GET /ajax-api/2.0/jobs/list",
    "jobs.get job_id=1",
    "GET /api/2.0/jobs/other",
    *(
        f"jobs.run_now {{{body}}}"
        for body in (
            "",
            "job_id: 1",
            "job_id: 2",
            "job_id: 3",
            "job_id: 4",
            "job_id: 9",
            'job_id: "1"',
            "job_id: [1, 2]",
            "job_id: true",
            "job_id: 1, queue.enabled: true",
            "job_id: 1, queue.enabled: false",
            "job_id: 1, jar_params: [a]",
            "job_id: 7, notebook_params: {day: x}",
            "job_id: 7, notebook_params: {other: x}",
            "job_id: 7, sql_params: {}",
        )
    ),
    'POST /api/2.2/jobs/run-now {"job_id": 1, "jobId": 2}',
    "POST /api/2.2/jobs/run-now no json",
    *(
        f"workspace.list path={path}"
        for path in (
            "/Workspace/a/b",
            "/Workspace/b",
            "/Workspace/b/src",
            "/Workspace/a/src",
            "/Users/x",
            "/Workspace/../x",
        )
    ),
    "GET /api/2.0/workspace/list",
    "files.upload file_path=Volumes/main/x",
    "files.upload file_path=Volumes/other/x",
    "PUT /api/2.0/fs/files/Volumes/main/x?overwrite=true no json",
    "PUT /api/2.0/fs/files/Volumes/main/x no json",
    "PUT /api/2.0/fs/files/Volumes/main/x?other=true",
    *(f"GET /api/2.0/permissions/{rest}" for rest in ("notebooks/7", "files/7", "jobs/7", "else/8")),
    *(f"GET /internal/{rest}" for rest in ("health", "x", "x:run", "x/y")),
    "GET /api/2.0/nothing/here",
]
# `only` can't be used under deny.
_DENIED = [index for index, rule in enumerate(_RULES) if "only" not in str(rule)]
_LIST = st.lists(st.sampled_from(range(len(_RULES))), min_size=1, max_size=4, unique=True)


def policy_of(allow: list[int], deny: list[int]) -> str:
    rule_set = {"allow": [_RULES[index] for index in allow], "deny": [_RULES[index] for index in deny]}
    token = {"fingerprint": f"sha256:{'0' * 64}", "rule_set": "r"}
    return yaml.safe_dump({"version": 1, "tokens": {"t": token}, "rule_sets": {"r": rule_set}})


def calls() -> list[Call]:
    return [read_call(text) for text in _CALLS]


def varied() -> list[Call]:
    """Calls of the operations in _RULES, with parameters of all kinds."""
    values = {"job_id": [1, 2, 6, ABSENT], "jar_params": [["x"], ABSENT], "queue.enabled": [True, False]}
    operation = load_catalog().operations["jobs.run_now"]
    return [
        example_call(operation, changes=dict(zip(values, chosen, strict=True)))
        for chosen in itertools.product(*values.values())
    ]


_ALL_CALLS = calls() + varied()


def pair(
    folder: Path, old: tuple[list[int], list[int]], new: tuple[list[int], list[int]]
) -> Comparison | None:
    try:
        return diff(folder, policy_of(*old), policy_of(*new))
    except PolicyError:
        return None  # a rule that can never allow anything


@reaching(
    0.3,
    st.tuples(_LIST, st.lists(st.sampled_from(_DENIED), max_size=2)),
    st.tuples(_LIST, st.lists(st.sampled_from(_DENIED), max_size=2)),
)
@settings(max_examples=100, deadline=None)
@example(([16], []), ([15, 16], []))
@example(([15, 16], []), ([15], []))
def test_a_call_that_is_newly_allowed_is_never_missed(
    tmp_path_factory: pytest.TempPathFactory,
    old: tuple[list[int], list[int]],
    new: tuple[list[int], list[int]],
) -> bool:
    said = pair(tmp_path_factory.mktemp("pair"), old, new)
    if said is None:
        return False
    check_proofs(said)
    was, now = find(said.old.policy, "t"), find(said.new.policy, "t")
    opened, closed = [], []
    for call in _ALL_CALLS:
        before, after = judge(said.old.policy, was, call, NOW), judge(said.new.policy, now, call, NOW)
        if after.allow and not before.allow:
            opened.append(call.text)
        # Refusals for the sake of a reading are no subject of the rules: a body that is no JSON is refused or not by which
        # of two rules comes first. All else is said.
        if before.allow and not after.allow and after.reason.kind is not Kind.READING:
            closed.append(call.text)
    if opened:
        assert said.opens, (opened, render("diff", data(said)))
    if closed:
        assert not said.is_empty, (closed, render("diff", data(said)))
    return bool(opened or closed)


@reaching(0.3, _LIST, st.lists(st.sampled_from(_DENIED), max_size=2))
@settings(max_examples=40, deadline=None)
def test_a_policy_and_itself_differ_in_nothing(
    tmp_path_factory: pytest.TempPathFactory, allow: list[int], deny: list[int]
) -> bool:
    folder = tmp_path_factory.mktemp("same")
    same = pair(folder, (allow, deny), (allow, deny))
    other = pair(folder, (allow, deny), (allow[::-1], deny[::-1]))
    assert (same is None) is (other is None)
    if same is None or other is None:
        return False
    assert same.is_empty
    assert other.is_empty
    return True


def test_a_rule_that_goes_is_said_also_where_no_call_of_it_was_found(tmp_path: Path) -> None:
    """Words of an enumeration are in the API's spelling, which no made-up value has."""
    one = "{operation: cluster_policies.list, where: {sort_column: {pattern: '{x...}'}}}"
    policy = f"""\
version: 1
tokens:
  ci: {{fingerprint: sha256:{"1" * 64}, rule_set: r}}
rule_sets:
  r: {{allow: [jobs.list, {one}]}}
"""
    said = diff(tmp_path, policy, policy.replace(f", {one}", ""))
    call = read_call("cluster_policies.list sort_column=MAIN")
    assert judge(said.old.policy, find(said.old.policy, "ci"), call, NOW).allow
    assert effects(said) == {"cluster_policies.list": "not_wider"}
    assert said.closes
