"""Readings explained: what each is, which one decides, and a remedy that allows all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.analysis.answer import render
from brickscope.analysis.call import read_call
from brickscope.analysis.explanation import Explanation, explain, explanation_data
from brickscope.analysis.judge import find, judge
from brickscope.core.decision import Decision
from brickscope.core.request import ApiRequest
from brickscope.log.record import printable
from brickscope.policy.load import Loaded, load_policy

TABLES, VOLUMES = "/api/2.1/unity-catalog/tables/", "/api/2.1/unity-catalog/volumes/"
DENY_PAY = {"operation": "volumes.read", "where": {"name": "main.hr.pay"}}


def policy(folder: Path, allow: list[Any], deny: list[Any] | None = None, mode: str = "enforce") -> Loaded:
    entry = {"allow": allow, "mode": mode} | ({"deny": deny} if deny else {})
    content = {
        "version": 1,
        "tokens": {"ci": {"fingerprint": f"sha256:{'1' * 64}", "rule_set": "r"}},
        "rule_sets": {"r": entry},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.yaml").write_text(json.dumps(content))
    return load_policy(folder, 0)


def said(loaded: Loaded, written: str) -> Explanation:
    return explain(loaded, find(loaded.policy, "ci"), read_call(written), 0)


# What is allowed and denied, the call; its readings, as "verdict how operation", the one that decides with a star; and the
# rules that would allow it.
CASES: dict[str, tuple[list[Any], list[Any], str, list[str], list[Any] | None]] = {
    "one reading": (["jobs.list"], [], "GET /api/2.2/jobs/list", [], None),
    "a name with a slash, by name": (
        ["tables.get"],
        [],
        f"GET {TABLES}main.a.in%2Fout",
        ["allow as it stands tables.get *", "covered split at '/' None"],
        None,
    ),
    "a name with a slash, and nothing for it": (
        ["jobs.list"],
        [],
        f"GET {TABLES}main.a.in%2Fout",
        ["deny as it stands tables.get *", "deny split at '/' None"],
        [{"operation": "tables.get", "where": {"full_name": "main.a.in/out"}}],
    ),
    "a name with a slash, and a path rule of one segment": (
        [f"GET {TABLES}{{t}}"],
        [],
        f"GET {TABLES}main.a.in%2Fout",
        ["allow as it stands tables.get", "deny split at '/' None *"],
        [f"GET {TABLES}main.a.in/out"],
    ),
    "a split that is another operation": (
        ["jobs.list"],
        [],
        f"GET {TABLES}main.a.t%2Fmonitor",
        ["deny as it stands tables.get *", "deny split at '/' quality_monitors.get"],
        [
            {"operation": "tables.get", "where": {"full_name": "main.a.t/monitor"}},
            {"operation": "quality_monitors.get", "where": {"table_name": "main.a.t"}},
        ],
    ),
    "a cut that a deny meets": (
        ["volumes.read"],
        [DENY_PAY],
        f"GET {VOLUMES}main.hr.pay%3Fx",
        ["allow as it stands volumes.read", "deny cut at '?' volumes.read *"],
        [],
    ),
    "unknown paths, two encodings": (
        ["jobs.list"],
        [],
        "GET /api/2.0/new/a%252Fb",
        ["deny as it stands None *", "deny decoded twice None", "deny decoded twice, split at '/' None"],
        ["GET /api/2.0/new/{name...}"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_readings_of_a_call(case: str, tmp_path: Path) -> None:
    allow, deny, written, expected, rules = CASES[case]
    loaded = policy(tmp_path / "policy", allow, deny)
    found = said(loaded, written)
    assert [_line(found, number) for number in range(len(found.readings))] == expected
    data = explanation_data(found)
    assert [each["decided"] for each in data["readings"]].count(True) == (1 if expected else 0)
    shown = [line for line in render("explanation", explanation_data(found)) if "<- decides" in line]
    assert len(shown) == (1 if expected else 0)
    if rules:
        assert found.remedy is not None
        assert yaml.safe_load(found.remedy.whole)["rule_sets"]["r"]["allow"] == rules
        again = policy(tmp_path / "again", [*allow, *rules], deny)
        assert judge(again.policy, find(again.policy, "ci"), found.call, 0).allow
    else:
        assert (found.remedy is None or not found.remedy.whole) is True


def _line(found: Explanation, number: int) -> str:
    each = found.readings[number]
    verdict = "covered" if each["covered"] else each["decision"]
    return f"{verdict} {each['how']} {each['operation']}{' *' if each['decided'] else ''}"


def test_a_reading_is_shown_as_a_server_has_it(tmp_path: Path) -> None:
    loaded = policy(tmp_path, ["jobs.list"])
    targets = [each["target"] for each in said(loaded, f"GET {VOLUMES}main.a.x%3Fy%2Fz").readings]
    assert targets[0] == f"{VOLUMES}main.a.x%3Fy%2Fz"
    assert f"{VOLUMES}main.a.x?y/z" in targets
    assert f"{VOLUMES}main.a.x%3Fy/z" in targets
    verb = [each["target"] for each in said(loaded, "GET /api/2.0/x/a%3Arun").readings]
    assert verb == ["/api/2.0/x/a:run", "/api/2.0/x/a%3Arun"]


def test_a_rule_for_all_below_says_so(tmp_path: Path) -> None:
    remedy = said(policy(tmp_path, ["jobs.list"]), "GET /api/2.0/new/a%252Fb").remedy
    assert remedy is not None
    assert "it also covers all that is below" in remedy.note


def test_rules_that_belong_together_say_so(tmp_path: Path) -> None:
    remedy = said(policy(tmp_path, ["jobs.list"]), f"GET {TABLES}main.a.t%2Fmonitor").remedy
    assert remedy is not None
    assert "all 2 rules are needed" in remedy.note


def test_what_is_nearest_is_near_to_the_reading_that_decided(tmp_path: Path) -> None:
    found = said(policy(tmp_path, [f"GET {TABLES}{{t}}"]), f"GET {TABLES}main.a.in%2Fout")
    assert found.near[0]["why"] == ["it ends before '/out'"]


# A flaw: the call, what is said of it, and whether monitor mode refuses it as well.
FLAWS: dict[str, tuple[str, str, bool]] = {
    "a host with a slash at its end": ("GET //api/2.2/jobs/list", "path_not_canonical", False),
    "a dot segment": ("GET /api/2.2/x/../jobs/list", "path_not_canonical", False),
    "a cookie": (
        "curl -H 'Cookie: s=1' https://x.cloud.databricks.com/api/2.2/jobs/list",
        "multiple_credentials",
        False,
    ),
    "a method override": (
        "curl -H 'X-HTTP-Method-Override: PUT' https://x.cloud.databricks.com/api/2.2/jobs/list",
        "header_forbidden",
        False,
    ),
    "an upgrade": (
        "curl -H 'Upgrade: websocket' https://x.cloud.databricks.com/api/2.2/jobs/list",
        "upgrade_refused",
        True,
    ),
}


@pytest.mark.parametrize("case", FLAWS)
@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_a_flaw_is_told_with_what_the_client_can_change(case: str, mode: str, tmp_path: Path) -> None:
    written, reason, in_every_mode = FLAWS[case]
    found = said(policy(tmp_path, ["jobs.*", "GET /{all...}"], mode=mode), written)
    assert found.decision.reason == reason
    assert found.decision.forwards is (mode == "monitor" and not in_every_mode)
    assert found.readings == ()
    assert found.near == ()
    assert found.remedy is not None
    assert found.remedy.whole == ""
    assert "no rule can allow it" in found.remedy.text
    assert "what the client can change: " in found.remedy.text
    flaw = explanation_data(found)["flaw"]
    assert (flaw["reason"], flaw["in_every_mode"]) == (reason, in_every_mode)
    assert flaw["change"] in found.remedy.text


def test_what_is_refused_where_a_rule_looks_is_said_to_be_no_flaw_of_the_call(tmp_path: Path) -> None:
    allow = [{"operation": "jobs.run_now", "where": {"job_id": 7}}]
    found = said(policy(tmp_path, allow), 'POST /api/2.2/jobs/run-now {"job_id": 7, "jobId": 8}')
    assert found.decision.reason == "parameter_twice"
    assert found.remedy is not None
    assert "no rule that checks parameters can allow it" in found.remedy.text
    assert explanation_data(found)["flaw"] is None


def test_a_flaw_behind_a_binding_is_noted(tmp_path: Path) -> None:
    loaded = policy(tmp_path, ["jobs.list"])
    who = find(loaded.policy, "ci")
    old = who._replace(subject=who.subject._replace(expires=1.0))
    found = explain(loaded, old, read_call("GET //api/2.2/jobs/list"), 2.0)
    assert found.decision.reason == "expired"
    assert any("it also has a flaw" in note for note in found.notes)


# -- objects -----------------------------------------------------------------------------------------------------------


def test_the_object_behind_a_spelling_is_told(tmp_path: Path) -> None:
    allow = [{"operation": "workspace.export", "where": {"path": {"prefix": "/Workspace/Users/me/"}}}]
    loaded = policy(tmp_path, allow)
    found = said(loaded, "workspace.export path=/Users/me/nb")
    assert "object:      path '/Users/me/nb' is '/Workspace/Users/me/nb'" in render(
        "explanation", explanation_data(found)
    )
    data = explanation_data(found)
    assert (data["params"], data["params_sent"]) == (
        {"path": "/Workspace/Users/me/nb"},
        {"path": "/Users/me/nb"},
    )
    assert data["objects"] == [
        {"name": "path", "sent": "'/Users/me/nb'", "objects": ("'/Workspace/Users/me/nb'",)}
    ]
    assert said(loaded, "workspace.export path=/Workspace/Users/me/nb").objects == ()


def test_all_objects_that_a_spelling_may_name_are_told(tmp_path: Path) -> None:
    allow = [{"operation": "libraries.install", "where": {"libraries.jar": {"prefix": "dbfs:/jars/"}}}]
    found = said(policy(tmp_path, allow), "libraries.install cluster_id=1-a libraries.jar=/jars/x.jar")
    assert [each["objects"] for each in found.objects] == [("'/Workspace/jars/x.jar'", "'dbfs:/jars/x.jar'")]
    (why,) = found.near[0]["why"]
    assert 'which is "/Workspace/jars/x.jar" or "dbfs:/jars/x.jar"' in why


def test_the_folder_itself_is_not_what_is_in_it(tmp_path: Path) -> None:
    allow = [{"operation": "workspace.list", "where": {"path": {"prefix": "/Users/me/"}}}]
    (why,) = said(policy(tmp_path, allow), "workspace.list path=/Users/me").near[0]["why"]
    assert why.endswith("(what is in it, not the folder itself)")


def test_what_stands_in_for_a_parameter_is_told(tmp_path: Path) -> None:
    allow = [{"operation": "clusters.resize", "where": {"num_workers": {"max": 4}}}]
    found = said(
        policy(tmp_path, allow), "clusters.resize cluster_id=1-a num_workers=3 autoscale.max_workers=99"
    )
    assert found.near[0]["why"] == ["the call has 'autoscale', which can stand in for num_workers"]


# -- properties --------------------------------------------------------------------------------------------------------

PIECES = st.lists(
    st.sampled_from(["a", "%2F", "%3F", "%23", "%3B", ";", "%25", "%252F", "%3A", "%20", ".", "b"]),
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(
    PIECES, st.sampled_from([TABLES, VOLUMES, "/api/2.0/fs/files/Volumes/main/", "/api/2.0/new/"]), st.data()
)
def test_readings_agree_with_the_decision_and_remedies_work(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], base: str, data: st.DataObject
) -> None:
    rules = [
        f"GET {TABLES}{{t}}",
        "volumes.read",
        "GET /api/2.0/fs/files/{p...}",
        "tables.get",
        "GET /api/2.0/new/{x}",
    ]
    allow = data.draw(st.lists(st.sampled_from(rules), min_size=1, unique=True))
    folder = tmp_path_factory.mktemp("p")
    loaded = policy(folder / "one", allow)
    found = said(loaded, f"GET {base}x{''.join(pieces)}y")
    decided = [each for each in found.readings if each["decided"]]
    request = found.call.request
    if isinstance(request, ApiRequest) and request.flaw is None and len(request.readings) > 1:
        assert len(found.readings) == len(request.readings)
        (one,) = decided
        assert (one["reason"], one["detail"], one["rule"], one["operation"]) == _answer(found.decision)
        if found.decision.allow:
            assert all(each["decision"] == "allow" or each["covered"] for each in found.readings)
        else:
            assert one["decision"] == "deny"
    if found.remedy is not None and found.remedy.whole:
        more = yaml.safe_load(found.remedy.whole)["rule_sets"]["r"]["allow"]
        again = policy(folder / "two", [*allow, *more])
        assert judge(again.policy, find(again.policy, "ci"), found.call, 0).allow


def _answer(decision: Decision) -> tuple[Any, ...]:
    return decision.reason, printable(decision.detail), decision.rule, decision.operation
