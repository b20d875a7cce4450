"""Policies: what is wrong is said with its place and the nearest right thing; what is right is compiled."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.policy import Mode
from brickscope.core.rule import RuleTable, parse_rule
from brickscope.policy.load import Loaded, load_policy, policy_files
from brickscope.policy.problem import PolicyError, Problem
from brickscope.policy.schema import render
from schemas import validator

A, B = ("sha256:" + sha256(name).hexdigest() for name in (b"a", b"b"))
GOOD = f"""\
version: 1
tokens:
  ci:
    fingerprint: {A}
    rule_set: reader
    workspaces: [dbc-a.cloud.databricks.com]
    clients: [10.0.8.0/24, 192.0.2.1]
    expires: 2027-03-01
    mode: monitor
rule_sets:
  reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
      - GET /api/2.0/jobs/{{id}}
    deny:
      - GET /api/2.0/jobs/13
"""


def load(tmp_path: Path, *texts: str | bytes, now: float = 0.0) -> Loaded:
    for index, text in enumerate(texts):
        raw = text.encode() if isinstance(text, str) else text
        (tmp_path / f"{index}.yaml").write_bytes(raw)
    return load_policy(tmp_path, now)


def odd(loaded: Loaded) -> list[Problem]:
    """The warnings, but for those of calls that were made up for a test (``test_meant.py`` has these)."""
    return [
        each for each in loaded.warnings if "matches no call that the catalogue knows" not in each.message
    ]


def problems(tmp_path: Path, *texts: str | bytes) -> list[str]:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, *texts)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in error.value.problems]


def test_a_policy_is_compiled(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    policy, _, files, *_ = loaded
    subject = policy.tokens[A]
    assert (subject.name, subject.rule_set.name, subject.mode) == ("ci", "reader", Mode.MONITOR)
    assert subject.workspaces == {"dbc-a.cloud.databricks.com"}
    assert subject.clients is not None
    assert [str(network) for network in subject.clients] == ["10.0.8.0/24", "192.0.2.1/32"]
    assert subject.expires == 1803859200.0, "the first moment of that day, UTC"
    assert policy.mode is Mode.ENFORCE
    assert subject.rule_set.allow.match("GET", ["api", "2.0", "jobs", "7"])
    assert subject.rule_set.deny.match("GET", ["api", "2.0", "jobs", "13"])
    assert odd(loaded) == []
    assert [file.name for file in files] == ["0.yaml"]


def test_several_files_are_one_policy(tmp_path: Path) -> None:
    tokens = f"version: 1\nmode: monitor\ntokens:\n  ci: {{fingerprint: '{A}', rule_set: r}}\n"
    policy = load(tmp_path, tokens, "version: 1\nrule_sets:\n  r: {allow: [GET /x]}\n").policy
    assert policy.mode is Mode.MONITOR
    assert policy.tokens[A].rule_set.name == "r"


TOKEN = f"version: 1\ntokens:\n  ci:\n    fingerprint: {A}\n    rule_set: r\n"
RULES = "version: 1\nrule_sets:\n  r:\n    allow:\n      - GET /x\n"
WRONG: dict[str, tuple[str | bytes, str]] = {
    "an unknown key": (GOOD + "extra: 1\n", "0.yaml:17:1: error: unknown key 'extra'"),
    "a misspelt key": (
        GOOD.replace("clients", "client"),
        "7:5: error: unknown key 'client' (did you mean 'clients'?)",
    ),
    "a key twice": (
        GOOD + "version: 1\n",
        "17:1: error: the key 'version' appears twice; first on line 1",
    ),
    "a token twice": (
        GOOD.replace("rule_sets:", "  ci: {}\nrule_sets:"),
        "10:3: error: the key 'ci' appears twice; first on line 3",
    ),
    "another version": (
        GOOD.replace("version: 1", "version: 2"),
        "1:10: error: this Brickscope reads version 1",
    ),
    "no version": (GOOD.replace("version: 1\n", ""), "error: the key 'version' is missing"),
    "no rule set": (
        GOOD.replace("rule_set: reader", "rule_set: raeder"),
        "5:15: error: there is no rule set 'raeder'",
    ),
    "an empty allowlist": (RULES.replace("\n      - GET /x", " []"), "an empty allowlist allows nothing"),
    "a fingerprint in capitals": (GOOD.replace(A, "sha256:" + A[7:].upper()), f"write {A}"),
    "a fingerprint without its prefix": (GOOD.replace(A, A[7:]), f"write {A}"),
    "a short fingerprint": (
        GOOD.replace(A, A[:-1]),
        "4:18: error: a fingerprint is sha256: and 64 lower-case",
    ),
    "an unknown mode": (
        GOOD.replace("monitor", "montor"),
        "9:11: error: 'montor' is no mode (did you mean 'monitor'?)",
    ),
    "a mode that YAML calls false": (GOOD.replace("monitor", "off"), "'off' is no mode"),
    "a workspace as URL": (
        GOOD.replace("[dbc-a.", "['https://dbc-a.").replace("databricks.com]", "databricks.com/']"),
        "write dbc-a.cloud.databricks.com",
    ),
    "a workspace in capitals": (GOOD.replace("[dbc-a", "[DBC-A"), "write dbc-a.cloud.databricks.com"),
    "a network with host bits": (GOOD.replace("10.0.8.0/24", "10.0.8.1/24"), "write 10.0.8.0/24"),
    "no network": (GOOD.replace("10.0.8.0/24", "everywhere"), "a client is an IP address or network"),
    "an empty list of clients": (
        GOOD.replace("[10.0.8.0/24, 192.0.2.1]", "[]"),
        "7:14: error: the list is empty",
    ),
    "a time without a zone": (
        GOOD.replace("2027-03-01", "2027-03-01T10:00:00"),
        "write 2027-03-01T10:00:00Z",
    ),
    "no time": (GOOD.replace("2027-03-01", "tomorrow"), "8:14: error: a time is a date such as 2027-03-01"),
    "a date that is none": (GOOD.replace("2027-03-01", "2027-02-30"), "a time is a date"),
    "a method in lower case": (
        GOOD.replace("- GET /api/2.1", "- get /api/2.1"),
        "13:9: error: 'get' is not a method",
    ),
    "a star": (GOOD.replace("jobs/{id}", "jobs/*"), "14:27: error: '*' is not allowed"),
    "a quoted rule": (
        GOOD.replace("GET /api/2.0/jobs/{id}", '"GET /api//x"'),
        "14:19: error: a canonical path has no empty segment",
    ),
    "a rule that a deny swallows": (
        GOOD.replace("GET /api/2.0/jobs/13", "GET /api/{all...}"),
        "13:9: error: the rule 'GET /api/2.1/unity-catalog/catalogs' can never allow anything",
    ),
    "an operation": (
        GOOD.replace("GET /api/2.0/jobs/{id}", "jobs.lst"),
        "there is no operation 'jobs.lst' (did you mean 'jobs.list'?)",
    ),
    "a rule that is a mapping": (
        GOOD.replace("GET /api/2.0/jobs/{id}", "{operation: x}"),
        "there is no operation 'x'",
    ),
    "a number as rule": (GOOD.replace("GET /api/2.0/jobs/{id}", "7"), "a rule is one line of text"),
    "a list where names belong": ("version: 1\ntokens: [x]\n", "2:9: error: this must be a mapping"),
    "text": ("just text\n", "error: this must be a mapping"),
    "true as version": (GOOD.replace("version: 1", "version: true"), "1:10: error: this Brickscope reads"),
    "workspaces commented out": (
        GOOD.replace(
            "workspaces: [dbc-a.cloud.databricks.com]", "workspaces:  # [dbc-a.cloud.databricks.com]"
        ),
        "6:16: error: the key has no value (write one or delete the key)",
    ),
    "clients commented out": (
        GOOD.replace("clients: [10.0.8.0/24, 192.0.2.1]", "clients:\n      # - 10.0.8.0/24"),
        "7:13: error: the key has no value",
    ),
    "expires without a value": (GOOD.replace("2027-03-01", "~"), "8:14: error: the key has no value"),
    "a mode without a value": (GOOD + "mode:\n", "17:6: error: the key has no value"),
    "a network with a mask": (GOOD.replace("10.0.8.0/24", "10.0.8.0/0.0.0.255"), "write 10.0.8.0/24"),
    "a week as time": (GOOD.replace("2027-03-01", "2027-W09-1T00:00Z"), "8:14: error: a time is a date"),
    "a time without dashes": (
        GOOD.replace("2027-03-01", "20270301T120000Z"),
        "8:14: error: a time is a date",
    ),
    "a word that mentions a zone": (GOOD.replace("2027-03-01", "zone-x"), "8:14: error: a time is a date"),
    "an odd name": (GOOD.replace("  ci:", "  'c i':"), "a name has letters, digits"),
    "a merge key": (RULES + "  s:\n    <<: {}\n", "7:5: error: merge keys"),
    "a tag": (GOOD.replace("version: 1", "version: !x 1"), "the tag '!x' has no meaning here"),
    "two documents": (GOOD + "---\nversion: 1\n", "a policy file has one document"),
    "an alias into itself": ("version: 1\ntokens: &a {x: *a}\n", "repeats itself"),
    "a tab": ("version: 1\ntokens:\n\tci: 1\n", "3:1: error: not valid YAML"),
    "an open bracket": ("version: [1\n", "not valid YAML"),
    "an empty file": ("", "the file is empty"),
    "latin-1": (b"version: 1 # caf\xe9\n", "0.yaml:1:17: error: the file is not UTF-8"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str | bytes, expected: str, tmp_path: Path) -> None:
    found = problems(tmp_path, text)
    assert any(expected in problem for problem in found), found


ACROSS = {
    "one fingerprint in two tokens": (
        [TOKEN, RULES, f"version: 1\ntokens:\n  b: {{fingerprint: '{A}', rule_set: r}}\n"],
        "belongs to another token already",
    ),
    "one name for two tokens": ([TOKEN, RULES, TOKEN.replace(A, B)], "the token 'ci' is defined already in"),
    "one name for two rule sets": ([TOKEN, RULES, RULES], "the rule set 'r' is defined already in"),
    "two modes": (
        [
            TOKEN.replace("tokens", "mode: monitor\ntokens"),
            RULES.replace("rule_sets", "mode: enforce\nrule_sets"),
        ],
        "mode is set already in",
    ),
    "two contacts": (
        [TOKEN.replace("tokens", "contact: a\ntokens"), RULES.replace("rule_sets", "contact: a\nrule_sets")],
        "contact is set already in",
    ),
}


@pytest.mark.parametrize(("texts", "expected"), ACROSS.values(), ids=ACROSS)
def test_what_two_files_say_differently_is_an_error(texts: list[str], expected: str, tmp_path: Path) -> None:
    assert any(expected in problem for problem in problems(tmp_path, *texts))


def test_all_errors_are_said_at_once(tmp_path: Path) -> None:
    broken = (
        GOOD.replace("monitor", "montor").replace("10.0.8.0/24", "x").replace("GET /api/2.1", "get /api/2.1")
    )
    assert len(problems(tmp_path, broken, "", TOKEN.replace("rule_set: r", "rule_set: no"))) >= 5


WARNINGS = {
    "no token in monitor": (
        "version: 1\nmode: monitor\n",
        "the policy names no token, service principal or user; in monitor mode every call is sent",
    ),
    "the last subject taken out": (
        "version: 1\n",
        "the policy names no token, service principal or user; every call is denied, and is logged (add tokens:)",
    ),
    "a rule set of nobody": (GOOD + "  other:\n    allow: [GET /y]\n", "no subject has the rule set 'other'"),
    "an expired token": (GOOD.replace("2027", "1969"), "the token 'ci' has expired"),
}


@pytest.mark.parametrize(("text", "expected"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_odd_is_a_warning(text: str, expected: str, tmp_path: Path) -> None:
    (warning,) = odd(load(tmp_path, text))
    assert warning.severity == "warning"
    assert expected in str(warning)


@pytest.mark.parametrize(
    "secret",
    [
        "dapi0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl",
    ],
)
@pytest.mark.parametrize(
    "place", [A, "reader", "monitor", "2027-03-01", "10.0.8.0/24", "GET /api/2.0/jobs/{id}"]
)
def test_a_token_in_the_wrong_place_is_never_repeated(secret: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, GOOD.replace(place, secret, 1))
    assert secret not in str(error.value)
    assert all(secret not in str(problem) for problem in error.value.problems)


@pytest.mark.parametrize(
    "line",
    [
        "fingerprint: hunter2",
        "fingerprint: 'hunter2'",
        "fingerprint:\n      hunter2",
        "fingerprint: [hunter2]",
        "fingerprint: sha256:hunter2",
        "token: hunter2",
        "fingerprnt: hunter2",
        f"fingerprint: {A}\n    fingerprint: hunter2",
        "fingerprint: hunter2: x",
    ],
)
def test_what_stands_in_place_of_a_fingerprint_is_never_repeated(line: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, GOOD.replace(f"fingerprint: {A}", line))
    assert "hunter2" not in str(error.value) + repr(error.value.problems)


def test_a_token_on_the_line_of_another_error_is_never_repeated(tmp_path: Path) -> None:
    text = f"version: 1\ntokens:\n  ci: {{fingerprint: hunter2, rule_set: r}}\n  b: {{fingerprint: '{A}', rule_set: no}}\n"
    broken = text.replace("rule_set: r}", "rule_set: r, clients: [x]}")
    with pytest.raises(PolicyError) as error:
        load(tmp_path, broken)
    assert "a client is an IP address" in str(error.value)
    assert "hunter2" not in str(error.value) + repr(error.value.problems)


@settings(max_examples=60, deadline=None)
@given(
    secret=st.from_regex(
        r"\A(dapi[0-9a-f]{32}|eyJ[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{20})\Z"
    ),
    at=st.integers(0, len(GOOD)),
    quote=st.sampled_from(["", " ", '"', "'", "\n", ": "]),
)
def test_a_token_anywhere_in_a_file_is_never_repeated(
    tmp_path_factory: pytest.TempPathFactory, secret: str, at: int, quote: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        said = repr(load(folder, GOOD[:at] + quote + secret + quote + GOOD[at:]).warnings)
    except PolicyError as error:
        said = str(error) + repr(error.problems)
    assert secret not in said


def test_an_unreadable_file_does_not_make_its_rule_sets_unknown(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, TOKEN, RULES + "  [")
    assert "not valid YAML" in problem


def test_modes_conflict_although_their_files_have_other_errors(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + "mode: monitor\nextra: 1\n", "version: 1\nmode: enforce\nextra: 1\n")
    assert any("mode is set already" in problem for problem in found)


def test_the_text_of_many_errors_is_short(tmp_path: Path) -> None:
    tokens = "".join(
        f"  t{index}: {{fingerprint: 'sha256:{sha256(str(index).encode()).hexdigest()}', rule_set: s{index}}}\n"
        for index in range(200)
    )
    with pytest.raises(PolicyError) as error:
        load(tmp_path, "version: 1\ntokens:\n" + tokens, RULES)
    assert len(error.value.problems) == 200
    assert str(error.value).endswith("... and 100 more")


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations([f"GET /x/{letter}" for letter in "abcd"]),
    names=st.permutations(["one", "two"]),
    comment=st.text("abc #:-", max_size=9),
)
def test_the_revision_does_not_know_order_comments_or_files(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], names: list[str], comment: str
) -> None:
    prints = {"one": A, "two": B}
    tokens = "".join(
        f"  {name}: {{rule_set: r, fingerprint: '{prints[name]}'}} # {comment}\n" for name in names
    )
    rules = f"version: 1 # {comment}\nrule_sets: {{r: {{description: '{comment}', allow: {order}}}}}\n"
    together, apart = (tmp_path_factory.mktemp(name) for name in ("together", "apart"))
    one = load(together, "version: 1\ntokens:\n" + tokens + rules.removeprefix(f"version: 1 # {comment}\n"))
    two = load(apart, rules, "version: 1\ntokens:\n" + tokens)
    assert one.policy.revision == two.policy.revision
    sets = [f"GET /x/{letter}" for letter in "abcd"]
    plain = f"version: 1\ntokens:\n  one: {{fingerprint: '{A}', rule_set: r}}\n  two: {{fingerprint: '{B}', rule_set: r}}\n"
    base = load(tmp_path_factory.mktemp("base"), plain + f"rule_sets: {{r: {{allow: {sets}}}}}\n")
    assert one.policy.revision == base.policy.revision


def test_the_revision_says_what_is_decided_and_not_how_it_is_written(tmp_path: Path) -> None:
    def revision(name: str, *texts: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        return load(folder, *texts).policy.revision

    original = revision("a", GOOD)
    swapped = GOOD.replace(
        "      - GET /api/2.1/unity-catalog/catalogs\n      - GET /api/2.0/jobs/{id}\n",
        "      # the same\n      - GET /api/2.0/jobs/{id}\n      - GET /api/2.1/unity-catalog/catalogs\n",
    )
    assert revision("b", swapped) == original
    assert revision("c", GOOD.replace("jobs/13", "jobs/14")) != original
    assert revision("d", GOOD.replace("2027", "2028")) != original
    assert revision("e", GOOD.replace("mode: monitor", "mode: enforce")) != original
    assert len(original) == 16


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_loading_raises_nothing_but_policy_errors(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for text in (raw, b"version: 1\ntokens: " + raw, b"version: 1\nrule_sets: {r: {allow: [" + raw + b"]}}"):
        try:
            policy = load(folder, text).policy
        except PolicyError:
            continue
        assert (policy.subjects, policy.rule_sets, policy.mode) == ([], {}, Mode.ENFORCE), (
            "it denies everything"
        )


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_a_policy_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.test.yaml").write_text("")
    (tmp_path / "empty" / ".hidden.yaml").write_text("")
    with pytest.raises(PolicyError, match=r"no such policy folder|no policy file"):
        load_policy(tmp_path / name, 0)


def test_files_of_tests_are_no_policy(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "a.test.yaml", ".c.yaml", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in policy_files(tmp_path)] == ["a.yml", "b.yaml"]


def test_tokens_share_their_compiled_rule_set(tmp_path: Path) -> None:
    tokens = "".join(
        f"  t{index}: {{fingerprint: 'sha256:{sha256(str(index).encode()).hexdigest()}', rule_set: r}}\n"
        for index in range(200)
    )
    policy = load(tmp_path, "version: 1\ntokens:\n" + tokens, RULES).policy
    assert len({id(subject.rule_set) for subject in policy.tokens.values()}) == 1


REPOSITORY = Path(__file__).parents[2]


def test_the_schema_in_the_repository_is_the_models() -> None:
    assert (REPOSITORY / "rules" / "brickscope.schema.json").read_text() == render(), "run: brickscope schema"


def test_the_schema_accepts_what_the_loader_does() -> None:
    check = validator(json.loads(render()))
    for text in (GOOD, TOKEN, RULES):
        document = yaml.load(text, Loader=yaml.BaseLoader) | {"version": 1}
        assert list(check.iter_errors(document)) == []
    assert list(check.iter_errors({"version": 1, "tokns": {}}))


def test_the_example_loads_without_a_warning() -> None:
    assert load_policy(REPOSITORY / "rules", 0).warnings == []
    assert (
        "$schema=brickscope.schema.json"
        in (REPOSITORY / "rules" / "example.yaml").read_text().splitlines()[0]
    )


def test_a_table_of_30000_rules_finds_each() -> None:
    table = RuleTable([parse_rule(f"GET /api/2.0/things/t{index}/{{id}}") for index in range(30_000)])
    assert table.match("GET", ["api", "2.0", "things", "t29999", "x"])
    assert not table.match("GET", ["api", "2.0", "things", "t30000", "x"])
