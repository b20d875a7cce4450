"""What the documents say is what the program does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.audit.event import EVENTS, check_record, render
from brickscope.audit.evidence import Damage
from brickscope.cli.main import main
from brickscope.core.kind import KINDS
from brickscope.core.policy import Mode, Policy
from brickscope.core.reason import CHANGE, Reason
from brickscope.log.chain import read_hash, true_hash
from brickscope.policy.load import load_policy
from brickscope.policy.operations import presets
from brickscope.proxy.denial import Asked, message
from brickscope.proxy.options import FORCED, KEPT, OURS, REFUSED, WARNED
from core.judged import NAME, judged, policy
from schemas import validator

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", ["README.md", "docs/403.md"])
def test_the_403_that_is_shown_is_what_the_proxy_says(page: str, tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(version: 1\n.*?)```", (ROOT / "README.md").read_text(), re.S)
    target = "/api/2.0/sql/warehouses"
    decision = judged(_readme_policy(text, tmp_path), "GET", target)
    said = message(decision, "397d7b97-3", Asked("GET", target, "dbc-a.cloud.databricks.com"))
    assert said in " ".join((ROOT / page).read_text().split())
    (added,) = re.findall(r"^Blocked. Add `(- [^`]+)` under `allow:`", (ROOT / "README.md").read_text(), re.M)
    assert judged(_readme_policy(f"{text}      {added}\n", tmp_path), "GET", target).allow


def _readme_policy(text: str, folder: Path) -> Policy:
    """The policy of the README, for the token of the tests."""
    file = folder / "policy.yaml"
    file.write_text(re.sub(r"sha256:\w+", NAME, text))
    return load_policy(file, 0).policy


def test_every_reason_is_documented_in_its_own_sentence() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == {reason.value for reason in Reason}
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.sentence} |" in text


def test_what_can_be_changed_is_documented_with_each_reason() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text()
    for reason, change in CHANGE.items():
        (row,) = re.findall(rf"^\| `{reason.value}` \|.*$", text, re.M)
        assert row.endswith(f"| {change} |"), reason


# A request with a flaw for each reason with which monitor mode lets a call go on: target, header, body.
FLAWS: dict[str, tuple[str, tuple[bytes, bytes] | None, bytes]] = {
    "multiple_credentials": ("/api/2.2/jobs/list", (b"Cookie", b"a=b"), b""),
    "path_not_canonical": ("//api/2.2/jobs/list", None, b""),
    "query_not_canonical": ("/api/2.2/jobs/list?a=%zz", None, b""),
    "header_forbidden": ("/api/2.2/jobs/list", (b"X-HTTP-Method", b"PUT"), b""),
    "body_encoded": ("/api/2.2/jobs/run-now", (b"Content-Encoding", b"gzip"), b"{}"),
    "body_not_json": ("/api/2.2/jobs/run-now", None, b"["),
    "message_malformed": ("/api/2.0/mcp/sql", (b"Content-Type", b"application/json"), b"[]"),
    "body_duplicate_key": ("/api/2.2/jobs/run-now", None, b'{"a": 1, "a": 2}'),
    "body_too_deep": ("/api/2.2/jobs/run-now", None, b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}"),
    "too_complex": ("/api/2.2/jobs/run-now", None, json.dumps({"\u00fc" * 70_000: 1}).encode()),
    "parameter_twice": ("/api/2.2/jobs/run-now", None, b'{"job_id": 7, "jobId": 8}'),
    "parameter_misplaced": ("/api/2.2/jobs/run-now?job_id=7", None, b"{}"),
}


def test_with_which_flaws_monitor_mode_lets_a_call_go_on_is_documented(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "reasons.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|.*\| goes on", text, re.M)) == set(FLAWS)
    rule = {"operation": "jobs.run_now", "where": {"job_id": 7}}
    known = policy(tmp_path, rule)
    subject = known.tokens[NAME]._replace(mode=Mode.MONITOR)
    monitored = known._replace(tokens={NAME: subject})
    for reason, (target, header, body) in FLAWS.items():
        method = "POST" if body or "run-now" in target else "GET"
        decision = judged(monitored, method, target, body or None, *filter(None, [header]))
        assert (decision.reason.value, decision.allow, decision.forwards) == (reason, False, True), reason


def test_every_kind_of_value_is_documented() -> None:
    page = (ROOT / "docs" / "rules.md").read_text().partition("### The regular form")[2].partition("### ")[0]
    named = set(re.findall(r"`([a-z ]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", page, re.M))))
    assert named == {name.replace("_", " ") for name in KINDS} - {"slashed"}


def test_every_option_is_documented() -> None:
    text = (ROOT / "docs" / "options.md").read_text()
    assert re.findall(r"^\| `(scope_\w+)` \|", text, re.M) == [name for name, *_ in OURS]


def test_what_becomes_of_mitmproxys_options_is_documented() -> None:
    text = (ROOT / "docs" / "options.md").read_text()
    kept, rest = text.partition("**In effect**")[2].split("**Forced**")
    forced, refused = rest.split("**Refused at start**")
    for page, names in ((kept, KEPT), (forced, FORCED), (refused.partition("**Warned")[0], REFUSED)):
        assert set(re.findall(r"`(\w+)`", page)) >= set(names)
    assert set(re.findall(r"`(\w+)[`=]", refused.partition("**Warned")[2])) == set(WARNED)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.M)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_whole_policy_in_the_documents_loads(page: Path, tmp_path: Path) -> None:
    for index, text in enumerate(re.findall(r"```yaml\n(version: 1\n.*?)```", page.read_text(), re.S)):
        file = tmp_path / f"{index}.yaml"
        file.write_text(text)
        policy = load_policy(file, 0).policy
        assert policy.subjects


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_that_is_named_exists(page: Path) -> None:
    for name in re.findall(r"\bscripts/[a-z]+(?:-[a-z]+)*\b", page.read_text()):
        assert (ROOT / name).exists(), name


def test_every_preset_is_documented() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$", text, re.M)) == set(presets())


def test_what_catalog_search_prints_in_the_documents_is_what_it_prints() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    shown = re.findall(r"^\$ brickscope (catalog search .+)\n([^$`].*)$", text, re.M)
    assert len(shown) == 2
    for command, line in shown:
        result = CliRunner().invoke(main, shlex.split(command.replace("…", "x")))
        assert result.output.splitlines()[0] == line


def test_the_records_in_the_documents_are_a_chain_of_the_published_schema() -> None:
    text = (ROOT / "docs" / "log.md").read_text()
    lines = re.findall(r"^(\{.*\})$", text, re.M)
    assert {json.loads(line)["event"] for line in lines} >= {"start", "decision", "outcome", "reload", "stop"}
    previous = "0" * 64
    for line in lines:
        check_record(line)
        assert read_hash(line.encode()) == true_hash(line.encode())
        assert json.loads(line)["prev_hash"] == previous
        previous = json.loads(line)["hash"]


def test_the_published_schema_is_that_of_the_models() -> None:
    published = (ROOT / "docs" / "audit-record.schema.json").read_text()
    assert published == render()
    check = validator(json.loads(published))
    for line in re.findall(r"^(\{.*\})$", (ROOT / "docs" / "log.md").read_text(), re.M):
        check.validate(json.loads(line))


def test_every_event_cause_and_damage_is_documented() -> None:
    text = (ROOT / "docs" / "log.md").read_text()
    for name in (*EVENTS, *EVENTS["gap"]["cause"].words):
        assert f"| `{name}` |" in text, name
    for damage in Damage:
        assert f"`{damage}`" in text, damage
