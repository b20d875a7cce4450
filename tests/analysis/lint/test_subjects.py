"""Subjects, their bindings and modes, and the ways to get tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.check.policies import codes_of, findings, only

RULES = "rule_sets:\n  reader: {allow: [jobs.list]}\n  other: {allow: [jobs.list]}\n"
_HOST = "workspaces: [dbc-a.cloud.databricks.com]"


def tokens(*entries: str) -> str:
    lines = [
        f"  t{index}: {{fingerprint: sha256:{index:064x}, rule_set: {entry}}}"
        for index, entry in enumerate(entries)
    ]
    return "\n".join(["tokens:", *lines, RULES])


def people(users: str = "", logins: str = "", principals: str = "") -> str:
    text = RULES
    if users:
        text += f"users:\n  alice: {{sub: alice@example.com, rule_set: reader, {users}}}\n"
    if logins:
        text += f"logins:\n  people: {{grants: {logins}}}\n"
    if principals:
        text += f"service_principals:\n  etl: {{client_id: a-b, rule_set: reader{principals}}}\n"
    return text


# A policy, and the findings of BS5xx by whom they are about (None for the policy or a rule set).
CASES: dict[str, tuple[str, set[tuple[str, str | None]]]] = {
    "no bindings at all": (tokens("reader", "other"), set()),
    "expired to the second": (tokens("reader, expires: 2026-11-01"), {("BS501", "t0")}),
    "one second left": (tokens("reader, expires: 2026-11-01T00:00:01Z"), {("BS502", "t0")}),
    "thirty days left": (tokens("reader, expires: 2026-12-01"), {("BS502", "t0")}),
    "more than thirty days left": (tokens("reader, expires: 2026-12-01T00:00:01Z"), set()),
    "a binding that most with the rule set have": (
        tokens(f"reader, {_HOST}", f"reader, {_HOST}", "reader", "other"),
        {("BS503", "t2"), ("BS503", "t3")},
    ),
    "a binding that half of the others have": (
        tokens(f"reader, {_HOST}", "reader", "reader"),
        set(),
    ),
    "a binding that those with another rule set have": (
        tokens(f"other, {_HOST}", f"other, {_HOST}", "reader"),
        {("BS503", "t2")},
    ),
    "another binding than those with another rule set": (
        tokens(f"other, {_HOST}", f"other, {_HOST}", "reader, clients: [10.0.0.0/8]"),
        set(),
    ),
    "the same hosts in another order": (
        tokens(
            "reader, workspaces: [a.cloud.databricks.com, b.cloud.databricks.com]",
            "reader, workspaces: [b.cloud.databricks.com, a.cloud.databricks.com]",
        ),
        set(),
    ),
    "different hosts": (
        tokens(
            "reader, workspaces: [a.cloud.databricks.com]", "reader, workspaces: [b.cloud.databricks.com]"
        ),
        {("BS504", None)},
    ),
    "different ends": (tokens("reader, expires: 2028-01-01", "reader, expires: 2028-01-02"), set()),
    "a subject in monitor mode": (tokens("reader, mode: monitor"), {("BS506", "t0")}),
    "the whole in monitor mode": (f"mode: monitor\n{tokens('reader')}", {("BS505", None)}),
    "nobody, in monitor mode": ("mode: monitor\ntokens: {}\nrule_sets: {}\n", {("BS505", None)}),
    "a user with login and workspaces": (people(_HOST, "[browser_login]"), set()),
    "a user who comes by federation": (people(_HOST, "[federation]"), set()),
    "a user without login": (people(_HOST, "", ", grants: [client_credentials]"), {("BS510", None)}),
    "a user by a service principal's login": (people(_HOST, "", ", grants: [browser_login]"), set()),
    "a user everywhere": (people("mode: enforce", "[browser_login]"), {("BS509", "alice")}),
    "a login without users": (people("", "[browser_login, refresh]", " "), {("BS508", "people")}),
    "a federation for a service principal": (people("", "[federation]", ", grants: [federation]"), set()),
    "a service principal without grants": (people("", "", " "), set()),
    "a service principal's two ways": (
        people("", "", ", grants: [client_credentials, federation]"),
        {("BS507", "etl")},
    ),
    "a service principal's browser login without users": (
        people("", "", ", grants: [client_credentials, browser_login]"),
        {("BS507", "etl")},
    ),
    "a service principal's refresh without login": (
        people("", "", ", grants: [client_credentials, refresh]"),
        {("BS507", "etl")},
    ),
    "a service principal's exchange": (
        people("", "", ", grants: [client_credentials, token_exchange]"),
        set(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_of_subjects(case: str, tmp_path: Path) -> None:
    policy, expected = CASES[case]
    found = {(each.code, each.subject) for each in findings(tmp_path, policy) if each.code[2] == "5"}
    assert found == expected


def test_what_a_subject_lacks_is_said_with_how_many_have_it(tmp_path: Path) -> None:
    policy = tokens(f"reader, {_HOST}, expires: 2028-01-01", "reader", "other")
    by_subject = {each.subject: each.message for each in findings(tmp_path, policy) if each.code == "BS503"}
    assert by_subject == {
        "t1": "the token t1 lacks workspaces (the other one with the rule set reader has it), "
        "expires (the other one with the rule set reader has it)"
    }


@pytest.mark.parametrize(
    ("bound", "words"), [(1, "the other token has one"), (2, "2 of 2 other tokens have one")]
)
def test_one_other_is_no_count(bound: int, words: str, tmp_path: Path) -> None:
    policy = tokens(*[f"reader, {_HOST}"] * bound, "other")
    (said,) = [each.message for each in findings(tmp_path, policy) if each.code == "BS503"]
    assert said == f"the token t{bound} lacks any binding ({words})"


def test_a_rule_set_in_monitor_mode_affects_those_who_do_not_enforce_it_themselves(tmp_path: Path) -> None:
    policy = tokens("reader", "reader, mode: enforce").replace("reader: {", "reader: {mode: monitor, ")
    finding = only(findings(tmp_path, policy), "BS506")
    assert (finding.rule_set, finding.subjects) == ("reader", ("t0",))


def test_many_tokens_of_one_rule_set_are_compared(tmp_path: Path) -> None:
    entries = [f"reader, clients: [10.0.{index % 200}.0/24]" for index in range(2000)]
    found = codes_of(findings(tmp_path, tokens(*entries, "reader")))
    assert {code for code in found if code[2] == "5"} == {"BS503", "BS504"}
