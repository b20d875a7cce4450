"""What is evidence, what is proposed of it, and what never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.learn.sessions import CI, FINGERPRINT, POLICY, Did, get, learned, proposed
from brickscope.analysis.learn import report
from brickscope.analysis.learn.evidence import Selector
from brickscope.analysis.learn.proposal import LearnError, Wish, read_include
from brickscope.catalog.catalog import load_catalog
from core.entra_tokens import CLI, PERSON, V1
from lab.workspace.entra import APPLICATION, OBJECT, TENANT

CATALOGS = "/api/2.1/unity-catalog/catalogs"
RUN = "/api/2.2/jobs/run-now"
WATCHED = {"pattern": "{any...}", "optional": True}


def run_now(job: Any, **more: Any) -> Did:
    return Did("POST", RUN, {"job_id": job}, **more)


NO_EVIDENCE = {
    "a call that was denied and not sent": ("denied", {"enforced": True}, None),
    "a call that a deny rule denied": ("denied_sent", {"reason": "denied_by_rule"}, 200),
    "a call that a binding denied": ("denied_sent", {"reason": "client_not_allowed"}, 200),
    "a call with a reason of another version": ("denied_sent", {"reason": "because"}, 200),
    "a call without an outcome": ("no_outcome", {}, None),
    "a call that was not found": ("failed", {}, 404),
    "a call that Databricks refused": ("failed", {}, 403),
    "a call that broke the server": ("failed", {}, 500),
    "a request for a token": ("token_request", {"grant": "refresh"}, 200),
    "a request for a token, whose record has no grant": (
        "not_replayable",
        {"method": "POST", "path": "/oidc/v1/token"},
        200,
    ),
    "a path with a token in it": ("not_replayable", {"path": "[redacted]"}, 200),
    "a path that was clipped": ("not_replayable", {"path": "/" + "a" * 2044 + "..."}, 200),
    "a path with a control character": ("now_path_not_canonical", {"path": "/api/2.0/\\x1b[2J"}, 200),
    "a path that no rule can allow": ("now_path_not_canonical", {"path": "/api/../x"}, 200),
    "a call without a path": ("not_replayable", {"path": None}, 200),
}


@pytest.mark.parametrize("case", NO_EVIDENCE)
def test_no_evidence_is(case: str, tmp_path: Path) -> None:
    why, fields, status = NO_EVIDENCE[case]
    said = learned(tmp_path, [get(CATALOGS, status=status, fields=fields)])
    assert said.left_out == {why: 1}
    assert (said.draft, proposed(said)) == (None, [])


def test_what_is_left_out_at_two_places_is_counted_once_each(tmp_path: Path) -> None:
    paths = (None, "[redacted]", "/api/2.0/\\x1b")
    said = learned(tmp_path, [get(CATALOGS, fields={"path": path}) for path in paths])
    assert said.left_out == {"not_replayable": 2, "now_path_not_canonical": 1}


@pytest.mark.parametrize("status", [200, 204, 302])
def test_a_call_that_succeeded_is_evidence(status: int, tmp_path: Path) -> None:
    said = learned(tmp_path, [get(CATALOGS, status=status)])
    assert proposed(said) == ["catalogs.list"]
    assert said.proof is not None
    assert (said.proof.calls, said.proof.allowed) == (1, 1)


def test_calls_of_others_are_no_matter(tmp_path: Path) -> None:
    said = learned(tmp_path, [get(CATALOGS, fields={"subject": "ci2"})])
    assert (said.evidence.calls, proposed(said)) == (0, [])


def test_versions_and_aliases_of_a_call_are_one_operation(tmp_path: Path) -> None:
    calls = [get(f"/api/{version}/jobs/list") for version in ("2.0", "2.1", "2.2")]
    said = learned(tmp_path, [*calls, get("/ajax-api/2.1/jobs/list")])
    assert proposed(said) == ["jobs.list"]


def test_two_spellings_of_an_object_are_one_value(tmp_path: Path) -> None:
    export, tables = "/api/2.0/workspace/export", "/api/2.1/unity-catalog/tables"
    calls = [
        get(
            export,
            params={"path": "/Workspace/Users/me/nb"},
            fields={"params_sent": {"path": "/Users/me/nb"}},
        ),
        get(export, params={"path": "/Workspace/Users/me/nb"}),
        get(f"{tables}/Main.A.IN%2Fout"),
        get(f"{tables}/main.a.in%2Fout"),
    ]
    said = learned(tmp_path, calls)
    assert proposed(said) == [
        {"operation": "tables.get", "where": {"full_name": ["main.a.in/out"]}},
        {"operation": "workspace.export", "where": {"path": ["/Workspace/Users/me/nb"]}},
    ]
    assert said.proof is not None
    assert (said.proof.calls, said.proof.allowed) == (4, 4)


def test_a_call_with_a_flaw_that_monitor_mode_let_go_on_is_no_evidence(tmp_path: Path) -> None:
    said = learned(tmp_path, [get(CATALOGS, fields={"path": f"/{CATALOGS}", "reason": "path_not_canonical"})])
    assert (said.left_out, proposed(said)) == ({"denied_sent": 1}, [])


def test_what_the_policy_allows_already_is_not_proposed(tmp_path: Path) -> None:
    said = learned(tmp_path, [get("/api/2.0/preview/scim/v2/Me"), get(CATALOGS)])
    assert (list(said.covered), proposed(said)) == (["current_user.me"], ["catalogs.list"])
    assert said.proof is not None
    assert said.proof.calls == 2


def test_what_the_policy_denies_now_is_no_evidence(tmp_path: Path) -> None:
    policy = POLICY.replace("    # nothing is denied", "    deny: [catalogs.list]")
    said = learned(tmp_path, [get(CATALOGS)], policy=policy)
    assert said.left_out == {"now_denied_by_rule": 1}


def test_a_log_that_is_older_than_a_limit_widens_nothing(tmp_path: Path) -> None:
    """What such a call had for the parameter nobody knows: it proposes no rule without the limit, and makes none unused."""
    limited = "- {operation: jobs.run_now, where: {job_id: 7}}\n      - current_user.me"
    said = learned(
        tmp_path, [Did("POST", RUN), run_now(7)], EXECUTE, policy=POLICY.replace("- current_user.me", limited)
    )
    assert said.left_out == {"not_replayable": 1}
    assert said.not_replayable == {"rules look at the parameter 'job_id', which is not in the log": 1}
    assert (list(said.covered), proposed(said)) == (["jobs.run_now"], [])
    said = learned(tmp_path, [Did("POST", RUN)], EXECUTE, policy=POLICY.replace("- current_user.me", limited))
    assert [rule.text for rule in said.unused] == ["current_user.me"]


STARTUP = ["/api/2.0/preview/scim/v2/Me", "/api/2.0/connector-service/feature-flags/SQL/1"]


def test_what_clients_call_unasked_is_the_preset_once_all_of_it_was_seen(tmp_path: Path) -> None:
    policy = POLICY.replace("current_user.me", "jobs.list")
    calls = [get(STARTUP[0]), get(STARTUP[1])]
    said = learned(tmp_path, calls, policy=policy)
    assert proposed(said) == ["clients.feature_flags", "current_user.me"]
    said = learned(tmp_path, [*calls, Did("POST", "/telemetry-ext")], policy=policy)
    assert proposed(said) == [{"preset": "client-startup"}]


# -- what is dangerous ----------------------------------------------------------------------------------------------

DANGEROUS = {
    "what runs code": (run_now(1012), "jobs.run_now"),
    "what reads a secret": (get("/api/2.0/secrets/get", params={"scope": "s"}), "secrets.get_secret"),
    "what grants": (Did("PATCH", "/api/2.0/permissions/notebooks/7"), "permissions.update"),
    "what makes a token": (Did("POST", "/api/2.0/token/create"), "tokens.create"),
    "a write that carries a risk": (Did("POST", "/api/2.2/jobs/create"), "jobs.create"),
}


@pytest.mark.parametrize("case", DANGEROUS)
def test_never_proposed_unless_asked_by_name_is(case: str, tmp_path: Path) -> None:
    did, name = DANGEROUS[case]
    operation = load_catalog().operations[name]
    said = learned(tmp_path, [did] * 3)
    assert (proposed(said), said.draft) == ([], None)
    (left,) = said.proposal.dangerous
    assert left.operation.name == name
    assert report.data(said)["not_proposed"][0]["option"] == f"--include {name}"
    said = learned(tmp_path, [did] * 3, Wish(paths=True, include=frozenset(["jobs.cancel_run"])))
    assert proposed(said) == []
    for wish in (Wish(frozenset([name])), Wish(classes=frozenset([operation.kind]))):
        said = learned(tmp_path, [did] * 3, wish)
        assert len(proposed(said)) == 1
        assert said.proof is not None
        assert said.proof.holds


def test_include_takes_operations_and_classes_that_there_are() -> None:
    assert read_include(["jobs.run_now", "class:execute"]) == (
        frozenset(["jobs.run_now"]),
        frozenset(["execute"]),
    )
    for wrong in ("jobs.run_nwo", "class:exec", "jobs.*", "oidc.token"):
        with pytest.raises(LearnError, match="--include"):
            read_include([wrong])


# -- limits -----------------------------------------------------------------------------------------------------------


def files(*paths: str) -> list[Did]:
    return [get(f"/api/2.0/fs/files/Volumes/{path}") for path in paths]


def tables(*names: str) -> list[Did]:
    return [get(f"/api/2.1/unity-catalog/tables/{name}") for name in names]


EXECUTE = Wish(classes=frozenset(["execute", "secret"]))
SECRET = "/api/2.0/secrets/get"
LIMITS = {
    "few ids that were seen twice": (
        [run_now(1013), run_now(1012)] * 2,
        [{"operation": "jobs.run_now", "where": {"job_id": [1012, 1013]}}],
    ),
    "an id as text and as a number is one": (
        [run_now(1012), run_now("1012")],
        [{"operation": "jobs.run_now", "where": {"job_id": [1012]}}],
    ),
    "an id that was absent once": (
        [run_now(1012), run_now(1012), run_now(None)],
        [{"operation": "jobs.run_now", "where": {"job_id": {"one_of": [1012], "optional": True}}}],
    ),
    "an id seen once limits nothing": ([run_now(1012)], ["jobs.run_now"]),
    "one of them seen once limits nothing": ([run_now(7), run_now(7), run_now(8)], ["jobs.run_now"]),
    "many ids limit nothing": ([run_now(job) for job in range(6)] * 2, ["jobs.run_now"]),
    "what the log lacks limits nothing": ([Did("POST", RUN)] * 2, ["jobs.run_now"]),
    "what the log has as a digest limits nothing": (
        [run_now({"hmac_sha256": "0"})] * 2,
        ["jobs.run_now"],
    ),
    "a list limits nothing": ([run_now([1, 2])] * 2, ["jobs.run_now"]),
    "files in one folder": (
        files("main/raw/a.csv", "main/raw/b/c.csv"),
        [{"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/raw/"}}}],
    ),
    "folders that only begin alike": (
        files("main/raw/a.csv", "main/rawest/c.csv"),
        [{"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/"}}}],
    ),
    "files in no folder of theirs": (files("a/a.csv", "b/b.csv"), ["files.download"]),
    "a file with an odd name is in no folder that a test could trust": (
        files("main/raw/a.csv", "main/raw/a.csv%20"),
        ["files.download"],
    ),
    "tables of one schema": (
        tables("main.sales.a", "main.sales.b"),
        [{"operation": "tables.get", "where": {"full_name": {"pattern": "main.sales.{table}"}}}],
    ),
    "tables of one catalogue": (
        tables("main.sales.a", "main.hr.b"),
        [{"operation": "tables.get", "where": {"full_name": {"pattern": "main.{schema}.{table}"}}}],
    ),
    "tables of several": (tables("main.sales.a", "dev.sales.b"), ["tables.get"]),
    "a table with a brace in its name": (tables("main.sales.a", "main.sales.%7Bb%7D"), ["tables.get"]),
    "more files than are kept, in one folder": (
        files(*(f"main/raw/{number}.csv" for number in range(2_500))),
        [{"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/raw/"}}}],
    ),
    "more files than are kept, the last one elsewhere": (
        files(*(f"main/raw/{number}.csv" for number in range(2_500)), "main/other.csv"),
        [{"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/"}}}],
    ),
    "more files than are kept, the last one with an odd name": (
        files(*(f"main/raw/{number}.csv" for number in range(2_500)), "main/raw/a.csv%20"),
        ["files.download"],
    ),
    "names of other lengths": (tables("main.sales.a", "main.sales"), ["tables.get"]),
    "one scope of many keys": (
        [get(SECRET, params={"scope": "a", "key": f"k{number}"}) for number in range(2_500)],
        [{"operation": "secrets.get_secret", "where": {"scope": ["a"]}}],
    ),
    "pairs that were seen, and no others": (
        [get(SECRET, params={"scope": scope, "key": key}) for scope, key in ("ax", "by")] * 2,
        [
            {"operation": "secrets.get_secret", "where": {"key": key, "scope": [scope]}}
            for scope, key in ("ax", "by")
        ],
    ),
    "all pairs": (
        [get(SECRET, params={"scope": scope, "key": key}) for scope in "ab" for key in "xy"] * 2,
        [{"operation": "secrets.get_secret", "where": {"scope": ["a", "b"], "key": ["x", "y"]}}],
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_limits(case: str, tmp_path: Path) -> None:
    calls, expected = LIMITS[case]
    said = learned(tmp_path, calls, EXECUTE)
    assert proposed(said) == expected
    assert said.proof is not None
    assert (said.proof.calls, said.proof.allowed) == (len(calls), len(calls))


def test_two_days_are_as_good_as_two_calls_and_max_values_is_a_choice(tmp_path: Path) -> None:
    calls = [run_now(job, hours=hours) for job in range(1, 8) for hours in (0, 30)]
    wish = Wish(frozenset(["jobs.run_now"]), max_values=7)
    assert proposed(learned(tmp_path, calls, wish)) == [
        {"operation": "jobs.run_now", "where": {"job_id": list(range(1, 8))}}
    ]
    said = learned(tmp_path, calls, wish._replace(max_values=6))
    assert proposed(said) == ["jobs.run_now"]
    assert said.draft is not None
    assert "7 different job_id seen: not limited" in said.draft.text


# -- watching rules -----------------------------------------------------------------------------------------------

WATCHING = POLICY.replace(
    "current_user.me   # always",
    "current_user.me   # always\n      - operation: jobs.run_now   # until Friday\n"
    '        where: {job_id: {pattern: "{any...}", optional: true}}',
)
ASKED = Wish(frozenset(["jobs.run_now"]))


def test_a_watching_rule_gives_way_to_what_was_learned(tmp_path: Path) -> None:
    said = learned(tmp_path, [run_now(1012)] * 2, ASKED, policy=WATCHING)
    assert [rule.operations[0].operation for rule in said.replaced] == ["jobs.run_now"]
    assert said.draft is not None
    assert "{any...}" not in said.draft.text
    assert "-      - operation: jobs.run_now   # until Friday" in said.draft.patch
    assert "+        where: {job_id: [1012]}" in said.draft.patch
    assert said.proof is not None
    assert said.proof.holds


def test_a_watching_rule_goes_on_while_the_log_lacks_what_it_watches(tmp_path: Path) -> None:
    said = learned(tmp_path, [run_now(1012), Did("POST", RUN)], ASKED, policy=WATCHING)
    assert (said.draft, said.replaced) == (None, ())
    assert said.proposal.unlogged == {"jobs.run_now": ("job_id",)}


def test_a_watching_rule_for_what_runs_code_stays_until_it_is_asked_for(tmp_path: Path) -> None:
    said = learned(tmp_path, [run_now(1012)] * 2, policy=WATCHING)
    assert (said.draft, list(said.covered)) == (None, ["jobs.run_now"])


# -- paths --------------------------------------------------------------------------------------------------------

UUID = "0d26daa6-5e44-4c97-a497-ef015f91254a"
PATHS = {
    "a number": ("/api/2.0/lakebase/v9/things/17", "/api/2.0/lakebase/v9/things/{id}"),
    "a UUID and a number": (f"/api/2.0/lakebase/{UUID}/parts/4", "/api/2.0/lakebase/{id}/parts/{id2}"),
    "no id": ("/api/2.0/lakebase/import", "/api/2.0/lakebase/import"),
    "a slash at the end": ("/api/2.0/lakebase/import/", "/api/2.0/lakebase/import"),
    "escapes": ("/api/2.0/lakebase/Q1%20%28old%29/caf%C3%A9", "/api/2.0/lakebase/Q1 (old)/caf\u00e9"),
    "an id where a variable would reach known operations": (
        "/api/2.0/pipelines/a/7",
        "/api/2.0/pipelines/a/7",
    ),
}


@pytest.mark.parametrize("case", PATHS)
def test_paths_of_no_operation(case: str, tmp_path: Path) -> None:
    path, rule = PATHS[case]
    said = learned(tmp_path, [Did("POST", path)])
    assert (proposed(said), list(said.proposal.paths)) == ([], [("POST", path)])
    said = learned(tmp_path, [Did("POST", path)], Wish(paths=True))
    assert proposed(said) == [f"POST {rule}"]
    assert said.proof is not None
    assert said.proof.holds


# -- who, and what else is said -------------------------------------------------------------------------------------

STRANGER = {"subject": None, "rule_set": None, "reason": "unknown_token"}
SP = {"issuer": "i", "client_id": "6f1c2f6e", "sub": "6f1c2f6e"}
USER = {"issuer": "i", "client_id": "databricks-cli", "sub": "alice@example.com"}
APP = {"issuer": V1, "client_id": APPLICATION, "sub": OBJECT, "tenant": TENANT, "object_id": OBJECT}
PEOPLE = {"issuer": V1, "client_id": CLI, "sub": "l3_roI", "tenant": TENANT, "object_id": PERSON}


@pytest.mark.parametrize(
    ("who", "fields", "expected"),
    [
        (Selector("fingerprint", FINGERPRINT), STRANGER, f"fingerprint: {FINGERPRINT}"),
        (Selector("client_id", "6f1c2f6e"), {**STRANGER, "principal": SP}, "client_id: 6f1c2f6e"),
        (Selector("sub", "alice@example.com"), {**STRANGER, "principal": USER}, "sub: alice@example.com"),
        (CI, {}, f"fingerprint: {FINGERPRINT}"),
        (CI, {"principal": SP}, "client_id: 6f1c2f6e"),
        (CI, {"principal": USER}, "sub: alice@example.com"),
        # Of an OAuth token the fingerprint is no name: the next one has another.
        (Selector("fingerprint", FINGERPRINT), {**STRANGER, "principal": SP}, "client_id: 6f1c2f6e"),
        (
            Selector("client_id", APPLICATION),
            {**STRANGER, "principal": APP},
            f"tenants:\n  entra:\n    tenant: {TENANT}\n\nservice_principals:\n  new-one:\n    tenant: entra\n"
            f"    object_id: {OBJECT}\n",
        ),
        (
            Selector("fingerprint", FINGERPRINT),
            {**STRANGER, "principal": PEOPLE},
            f"users:\n  new-one:\n    tenant: entra\n    object_id: {PERSON}\n",
        ),
    ],
)
def test_a_new_policy_names_who_was_seen(
    who: Selector, fields: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    said = learned(tmp_path, [get(CATALOGS, fields=fields)], policy=None, who=who, name="new one")
    assert said.draft is not None
    assert expected in said.draft.text
    assert "  new-one:\n    allow:\n      - catalogs.list  # seen once, 2026-11-01\n" in said.draft.text
    assert "clients: [10.0.8.14]" in said.draft.text
    assert said.proof is not None
    assert said.proof.holds


def test_an_opaque_oauth_token_is_no_evidence(tmp_path: Path) -> None:
    fields = {**STRANGER, "reason": "unknown_principal"}
    said = learned(tmp_path, [get(CATALOGS, fields=fields)], who=Selector("fingerprint", FINGERPRINT))
    assert said.evidence.left_out == {"denied_sent": 1}
    assert said.draft is None


def test_people_of_an_application_of_entra_id_are_not_it(tmp_path: Path) -> None:
    fields = {**STRANGER, "principal": PEOPLE}
    said = learned(tmp_path, [get(CATALOGS, fields=fields)], who=Selector("client_id", CLI))
    assert said.evidence.calls == 0


def test_the_application_of_users_is_no_service_principal(tmp_path: Path) -> None:
    fields = {**STRANGER, "principal": USER}
    said = learned(tmp_path, [get(CATALOGS, fields=fields)], who=Selector("client_id", "databricks-cli"))
    assert said.evidence.calls == 0


def test_an_unknown_token_beside_a_policy_gets_a_file_of_its_own(tmp_path: Path) -> None:
    other = "sha256:" + "b" * 64
    calls = [get(CATALOGS, fields={**STRANGER, "fingerprint": other})]
    who = Selector("fingerprint", other)
    said = learned(tmp_path, calls, who=who, name="new")
    assert said.draft is not None
    assert said.draft.file is None
    with pytest.raises(LearnError, match="has the name 'ci' already"):
        learned(tmp_path, calls, who=who, name="ci")


def test_a_subject_that_the_policy_does_not_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LearnError, match="names nobody 'nobody'"):
        learned(tmp_path, [get(CATALOGS)], who=Selector("subject", "nobody"))


def test_the_native_scopes(tmp_path: Path) -> None:
    calls = [
        get(CATALOGS),
        get("/api/2.0/sql/queries"),
        get("/api/2.0/permissions/notebooks/7"),
        Did("POST", "/telemetry-ext"),
        Did("POST", "/api/2.2/jobs/runs/cancel"),
        get("/api/2.2/jobs/list"),
        run_now(1012),
    ]
    scopes = learned(tmp_path, calls).scopes
    assert [(scope["name"], scope["confirmed"]) for scope in scopes["scopes"]] == [
        ("jobs", True),
        ("sql:read", True),
        ("unity-catalog:read", True),
    ]
    assert scopes["demand_all_apis"] == ["permissions.get"]
    assert scopes["unknown"] == ["telemetry.send"]


def test_a_path_that_may_be_one_of_two_objects_is_learned_as_it_was_sent(tmp_path: Path) -> None:
    said = learned(tmp_path, [get("/api/2.0/fs/directories/7")] * 2)
    (rule,) = proposed(said)
    assert rule["where"] == {"directory_path": [7]}
    assert said.proof is not None
    assert said.proof.holds, said.proof.failed
