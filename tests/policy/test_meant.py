"""Mistakes that people make in a policy: where it is, what is wrong, and what to write instead."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.core.rule import parse_rule
from brickscope.core.template import TemplateError
from brickscope.policy.load import load_policy
from brickscope.policy.meant import is_known, meant
from brickscope.policy.problem import PolicyError
from brickscope.policy.rules import MOST_UNKNOWN

POLICY = f"""\
version: 1
tokens:
  ci: {{fingerprint: 'sha256:{sha256(b"a").hexdigest()}', rule_set: r}}
rule_sets:
  r:
    allow:
"""

CATALOGS = "GET /api/2.1/unity-catalog/catalogs"

# The line as somebody wrote it; where, and what is said of it; what to write instead.
ERRORS = {
    "a whole URL": (
        "GET https://dbc-a.cloud.databricks.com/api/2.1/unity-catalog/catalogs",
        "7:13: error: a path starts with '/' (write " + CATALOGS,
    ),
    "a URL alone": (
        "https://dbc-a.cloud.databricks.com/api/2.1/unity-catalog/catalogs?max_results=5",
        "7:9: error: a rule is METHOD and /path separated by one space (write " + CATALOGS,
    ),
    "a URL whose host nobody can read": (
        '"https://[x/api/2.1/unity-catalog/catalogs"',
        "error: a rule is METHOD and /path separated by one space (write " + CATALOGS,
    ),
    "anchors of a regular expression": (
        "GET ^/api/2.1/unity-catalog/catalogs$",
        "7:13: error: a path starts with '/' (write " + CATALOGS,
    ),
    "the rest as a regular expression": (
        "GET /api/2.1/unity-catalog/.*",
        "(write GET /api/2.1/unity-catalog/{rest...})",
    ),
    "the rest as a shell writes it": (
        "GET /api/2.1/unity-catalog/**",
        "7:36: error: '*' is not allowed in a path template (write GET /api/2.1/unity-catalog/{rest...})",
    ),
    "one segment as a shell writes it": (
        "GET /api/2.1/unity-catalog/*/x",
        "(write GET /api/2.1/unity-catalog/{name3}/x)",
    ),
    "a method in lower case": (
        "get /api/2.1/unity-catalog/catalogs",
        "7:9: error: 'get' is not a method that a rule can name (DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT) "
        f"(write {CATALOGS})",
    ),
    "two methods": (
        "GET,POST /api/2.1/jobs/list",
        "(write GET /api/2.1/jobs/list and POST /api/2.1/jobs/list)",
    ),
    "two methods with a bar": (
        "GET|POST /api/2.1/jobs/list",
        "(write GET /api/2.1/jobs/list and POST /api/2.1/jobs/list)",
    ),
    "a call of the SDK": ("w.jobs.list()", "(write jobs.list)"),
    "any method": ("ANY /api/2.1/jobs/list", "7:9: error: 'ANY' is not a method that a rule can name"),
    "no method": ("/api/2.1/jobs/list", "(write GET /api/2.1/jobs/list)"),
    "no first slash": (
        "GET api/2.1/jobs/list",
        "7:13: error: a path starts with '/' (write GET /api/2.1/jobs/list)",
    ),
    "a last slash": (
        "GET /api/2.1/jobs/list/",
        "7:31: error: a rule's path does not end in '/': one trailing slash in a request is the same call "
        "(write GET /api/2.1/jobs/list)",
    ),
    "a query": (
        "GET /api/2.1/jobs/list?limit=25",
        "7:31: error: a rule has no query: its path ends before '?' (write GET /api/2.1/jobs/list)",
    ),
    "a fragment": ("GET /api/2.1/jobs/list#x", "7:31: error: a comment has a blank before it"),
    "a blank that does not break, at its end": (
        "GET /api/2.1/jobs/list\u00a0",
        "7:31: error: white space or a control character in a path (write GET /api/2.1/jobs/list)",
    ),
    "a tab": ("GET\t/api/2.1/jobs/list", "(write GET /api/2.1/jobs/list)"),
    "two blanks": ("GET  /api/2.1/jobs/list", "(write GET /api/2.1/jobs/list)"),
    "a name that is encoded": (
        "GET /api/2.1/unity-catalog/tables/main.a.%C3%BCber",
        "7:50: error: rules are written decoded, without percent-encoding "
        "(write GET /api/2.1/unity-catalog/tables/main.a.über)",
    ),
    "an operation in another style": (
        "jobs.runNow",
        "7:9: error: there is no operation 'jobs.runNow' (did you mean 'jobs.run_now'?)",
    ),
    "an operation as the CLI calls it": ("jobs run-now", "(write jobs.run_now)"),
    "an operation with a hyphen": ("jobs.run-now", "(write jobs.run_now)"),
    "an operation as Python calls it": ("jobs.run_now(job_id=77)", "(write jobs.run_now)"),
    "a service alone": ("warehouses", "(write warehouses.*)"),
    "an operation with a slip": ("job.run_now", "did you mean 'jobs.run_now'?"),
}


@pytest.mark.parametrize(("line", "said"), ERRORS.values(), ids=ERRORS)
def test_a_line_that_is_no_rule_is_refused_with_what_to_write(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(f"{POLICY}      - {line}\n")
    with pytest.raises(PolicyError) as error:
        load_policy(tmp_path, 0)
    (problem,) = error.value.problems
    assert said in str(problem)


WARNINGS = {
    "another case": ("GET /API/2.1/Unity-Catalog/catalogs", f"write {CATALOGS}"),
    "a variable as Flask names it": ("GET /api/2.0/repos/<repo_id>", "write GET /api/2.0/repos/{repo_id}"),
    "a variable as Rails names it": ("GET /api/2.0/repos/:repo_id", "write GET /api/2.0/repos/{repo_id}"),
    "a segment as a regular expression": ("GET /api/2.0/repos/[^/]+", "write GET /api/2.0/repos/{name3}"),
    "a slip": ("GET /api/2.1/jobs/listt", "did you mean 'GET /api/2.1/jobs/list'?"),
    "a version that is not there": ("GET /api/9.0/jobs/list", "did you mean 'GET /api/2.0/jobs/list'?"),
    "an alternative": ("GET /api/2.1/(jobs|runs)/list", "did you mean"),
}


@pytest.mark.parametrize(("line", "hint"), WARNINGS.values(), ids=WARNINGS)
def test_a_rule_that_no_known_call_can_match_is_a_warning(line: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(f"{POLICY}      - '{line}'\n")
    (warning,) = load_policy(tmp_path, 0).warnings
    assert str(warning.position).endswith("line=7, column=9)")
    assert f"{line!r} matches no call" in warning.message or "letter by letter" in warning.message
    assert hint in warning.hint


def test_a_policy_for_another_api_is_warned_of_a_few_times_only(tmp_path: Path) -> None:
    lines = "".join(f"      - GET /x/{number}\n" for number in range(3 * MOST_UNKNOWN))
    (tmp_path / "p.yaml").write_text(POLICY + lines)
    assert len(load_policy(tmp_path, 0).warnings) == MOST_UNKNOWN


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "GET",
        "GET /a b",
        "FETCH /api/2.1/jobs/list",
        "GET //",
        "GET /..",
        "GET /{x",
        "GET \\x",
        "a" * 9000,
    ],
)
def test_what_nobody_can_read_has_no_proposal(line: str) -> None:
    proposed = meant(line)
    if proposed:
        assert parse_rule(proposed)


def test_what_is_proposed_is_a_rule() -> None:
    for line, _ in [*ERRORS.values(), *WARNINGS.values()]:
        for each in filter(None, meant(line).split(" and ")):
            try:
                rule = parse_rule(each)
            except TemplateError as error:
                raise AssertionError(each) from error
            assert rule.text == each
    assert is_known(parse_rule(CATALOGS))
