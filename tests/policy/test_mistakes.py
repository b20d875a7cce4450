"""Typical mistakes in a policy: where each is, what is wrong, what to write instead. Those inside a rule: test_meant.py."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.policy.load import load_policy
from brickscope.policy.problem import PolicyError

PRINT = f"sha256:{sha256(b'a').hexdigest()}"
GOOD = f"""\
version: 1
tokens:
  ci:
    fingerprint: {PRINT}
    rule_set: reader
rule_sets:
  reader:
    allow:
      - catalogs.list
      - {{operation: jobs.run_now, where: {{job_id: 77}}}}
"""
SET = "    rule_set: reader"
HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"

# What stands there, what somebody wrote instead; line and column, what is wrong, what to write.
MISTAKES = {
    "no version": ("version: 1\n", "", "1:1", "the key 'version' is missing", "version: 1"),
    "another version": ("version: 1", "version: 2", "1:10", "reads version 1", "version: 1"),
    "a key as one word": ("rule_sets:", "rulesets:", "6:1", "unknown key 'rulesets'", "'rule_sets'"),
    "a key in the plural": ("    allow:", "    allows:", "8:5", "unknown key 'allows'", "'allow'"),
    "the token itself": (PRINT, "dapi" + "0" * 32, "4:18", "may be a token itself", "brickscope fingerprint"),
    "a token as a name": ("  ci:", f"  dapi{'0' * 32}:", "3:3", "may be a token", "write a name"),
    "a token as the name of a rule set": (
        SET,
        f"    rule_set: dapi{'0' * 32}",
        "5:15",
        "may be a token",
        "write a name",
    ),
    "a rule for the token endpoint": (
        "- catalogs.list",
        "- POST /oidc/{path...}",
        "9:9",
        "allowed by grants, never by rules",
        "grants:",
    ),
    "a slip in what is nested": (
        "- catalogs.list",
        "- {operation: jobs.create, where: {tasks.notebook_task.notebook_pth: /x}}",
        "9:42",
        "jobs.create has no parameter 'tasks.notebook_task.notebook_pth'",
        "'notebook_path'",
    ),
    "a fingerprint without sha256:": (PRINT, PRINT[7:], "4:18", "a fingerprint is sha256:", f"write {PRINT}"),
    "a part of a fingerprint": (
        PRINT,
        PRINT[:40],
        "4:18",
        "64 lower-case hex digits",
        "brickscope fingerprint",
    ),
    "one fingerprint, two names": (
        "rule_sets:\n",
        f"  cd:\n    fingerprint: {PRINT}\n{SET}\nrule_sets:\n",
        "7:18",
        "belongs to another token already",
        "one token, one name",
    ),
    "a slip in a name": (SET, "    rule_set: raeder", "5:15", "there is no rule set 'raeder'", "'reader'"),
    "a mode that is none": ("version: 1", "version: 1\nmode: observe", "2:7", "is no mode", "'monitor'"),
    "a tab": ("  ci:", "\tci:", "3:1", "not valid YAML", "indent with spaces"),
    "a tab further on": ("  ci:", " \tci:", "3:2", "not valid YAML", "indent with spaces"),
    "a key twice": (SET, f"{SET}\n{SET}", "6:5", "'rule_set' appears twice", "first on line 5"),
    "an empty list": (
        "    allow:",
        "    allow: []\n    deny:",
        "8:12",
        "allows nothing",
        "list calls or delete it",
    ),
    "a parameter that the call has not": ("job_id", "jobid", "10:43", "no parameter 'jobid'", "'job_id'"),
    "a text for a number": (
        "job_id: 77",
        "job_id: nightly",
        "10:43",
        "is no regular integer",
        "decimal digits",
    ),
    "a list for names": ("{job_id: 77}", "[77]", "10:42", "must be a mapping", "'name: value'"),
    "one entry for a list": (
        "allow:\n      - catalogs.list\n      - {operation: jobs.run_now, where: {job_id: 77}}",
        "allow: catalogs.list",
        "8:12",
        "must be a list",
        "'- one entry a line'",
    ),
    "a slip in a key of a rule": (
        "- catalogs.list",
        "- {operation: catalogs.list, were: {}}",
        "9:36",
        "unknown key 'were'",
        "'where'",
    ),
    "a class that is none": (
        "- catalogs.list",
        "- {class: reads}",
        "9:10",
        "'reads' is not a class",
        "'read'",
    ),
    "a test that is none": (
        "job_id: 77",
        "job_id: {startswith: 7}",
        "10:43",
        "unknown test 'startswith'",
        "prefix",
    ),
    "operations in a list": (
        "{operation: jobs.run_now, where: {job_id: 77}}",
        "operation: [jobs.run_now, jobs.list]",
        "10:20",
        "this must be one text and no list",
        "an entry of its own for each",
    ),
    "one of many values": (
        "{operation: jobs.run_now, where: {job_id: 77}}",
        "operation: jobs.run_now\n        where:\n          job_id:\n            - 77\n            - nightly",
        "14:15",
        "is no regular integer",
        "decimal digits",
    ),
    "the second condition of a rule": (
        "{operation: jobs.run_now, where: {job_id: 77}}",
        "operation: jobs.run_now\n        where:\n          job_id: 77\n          idempotency: x",
        "13:11",
        "no parameter 'idempotency'",
        "'idempotency_token'",
    ),
    "a rule with a colon": (
        "- catalogs.list",
        "- GET: /api/2.1/unity-catalog/catalogs",
        "9:9",
        "unknown key 'GET'",
        "write GET /api/2.1/unity-catalog/catalogs, without a colon",
    ),
    "a condition below a path": (
        "- catalogs.list",
        "- GET /api/2.2/jobs/get\n        where: {job_id: 1}",
        "10:14",
        "not valid YAML",
        "belong to '- operation: NAME'",
    ),
    "braces in a flow list": (
        "allow:\n      - catalogs.list",
        "allow: [GET /api/2.1/unity-catalog/catalogs/{name}]\n    deny:",
        "8:49",
        "not valid YAML",
        "needs quotes",
    ),
    "a conflict that is not solved": (
        "version: 1",
        "<<<<<<< HEAD\nversion: 1",
        "2:8",
        "not valid YAML",
        "conflict",
    ),
    "a comment without a blank": (
        "- catalogs.list",
        "- GET /api/2.1/unity-catalog/catalogs#why",
        "9:44",
        "a comment has a blank before it",
        "write GET /api/2.1/unity-catalog/catalogs",
    ),
    "a call where a name belongs": (
        "- catalogs.list",
        "- operation: GET /api/2.2/jobs/get",
        "9:9",
        "there is no operation",
        "write jobs.get",
    ),
    "where without anything": ("{job_id: 77}", "{}", "10:42", "nothing is written here", "delete the key"),
    "a tool server by its address": (
        "- catalogs.list",
        f"- {{operation: mcp.list_tools, where: {{server: ['https://{HOST}/api/2.0/mcp/genie/1']}}}}",
        "9:45",
        "server is what stands behind /api/2.0/mcp/",
        "write genie/1",
    ),
    "a warehouse by its path": (
        "- catalogs.list",
        "- {operation: sql.thrift, where: {warehouse_id: /sql/1.0/warehouses/a1b2}}",
        "9:41",
        "warehouse_id is what stands behind /sql/1.0/warehouses/",
        "write a1b2",
    ),
    "an app by its URL": (
        "- catalogs.list",
        "- {operation: apps.request, where: {app: 'https://orders-1.aws.databricksapps.com'}}",
        "9:43",
        "an app is named by its host",
        "NAME-ID.CLOUD.databricksapps.com",
    ),
    "an app by its name": (
        "- catalogs.list",
        "- {operation: mcp.list_tools, where: {app: orders}}",
        "9:45",
        "an app is named by its host",
        "NAME-ID.CLOUD.databricksapps.com",
    ),
    "an end of a range without a number": (
        "job_id: 77",
        "job_id: {min: }",
        "10:43",
        "min and max are integers",
        "an integer in decimal digits",
    ),
    "a client with a zone of one host": (
        SET,
        f"{SET}\n    clients: ['fe80::1%eth0']",
        "6:15",
        "a client is an IP address or network",
        "write fe80::1/128",
    ),
    "a day that no calendar in UTC has": (
        SET,
        f"{SET}\n    expires: 0001-01-01T00:00:00+14:00",
        "6:14",
        "a time is a date",
        "2027-03-01",
    ),
    "a missing rule set": (f"{SET}\n", "", "3:3", "the key 'rule_set' is missing", "write 'rule_set:'"),
    "a quote that is not closed": (
        SET,
        "    rule_set: 'reader",
        "11:1",
        "not valid YAML",
        "close each bracket",
    ),
    "aliases without end": (
        "version: 1",
        "version: 1\nx: &x [*x]",
        "2:4",
        "repeats itself by aliases",
        "no aliases",
    ),
    "nested without end": (
        "version: 1",
        f"version: 1\nx: {'[' * 90}",
        "2:67",
        "nested too deeply",
        "fewer levels",
    ),
    "an end in words": (SET, f"{SET}\n    expires: next week", "6:14", "a time is a date", "2027-03-01"),
    "a day that is not": (SET, f"{SET}\n    expires: 2027-02-30", "6:14", "a time is a date", "2027-03-01"),
    "a workspace as a URL": (
        SET,
        f"{SET}\n    workspaces: [https://{HOST}/]",
        "6:18",
        "a workspace is a plain lower-case host name",
        f"write {HOST}",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_has_its_place_what_is_wrong_and_what_to_write(case: str, tmp_path: Path) -> None:
    there, written, place, wrong, fix = MISTAKES[case]
    assert GOOD.count(there) >= 1
    (tmp_path / "p.yaml").write_text(GOOD.replace(there, written, 1))
    with pytest.raises(PolicyError) as error:
        load_policy(tmp_path, 0)
    said = [str(problem).removeprefix(f"{tmp_path}/") for problem in error.value.problems]
    (line,) = [each for each in said if wrong in each]
    assert line.startswith(f"p.yaml:{place}: error: ")
    assert fix in line.partition(wrong)[2], line


def test_there_are_twenty_and_the_policy_without_them_is_good(tmp_path: Path) -> None:
    assert len(MISTAKES) >= 20
    (tmp_path / "p.yaml").write_text(GOOD)
    assert not load_policy(tmp_path, 0).warnings
