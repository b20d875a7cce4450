"""Making the catalogue: the committed file is what the SDK's source and the overlay give, and nothing is unsettled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.core.template import bind, parse_catalogue_template
from catalogue import build as makers
from catalogue import update
from catalogue.build import Built, build, render, render_records
from catalogue.sdk import Source


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(update.sdk_folder())


@pytest.fixture(scope="module")
def built(source: Source) -> Built:
    return build(source)


def test_nothing_is_unclassified_or_shared(built: Built) -> None:
    assert built.problems == []


def test_the_committed_files_are_what_would_be_made(source: Source, built: Built) -> None:
    committed = update.FILE.read_text()
    made = render(built, source.version)
    if committed.splitlines()[0] == made.splitlines()[0]:
        assert committed == made
        assert update.FILE.with_name("records.jsonl").read_text() == render_records(built)
    else:  # another release of the SDK is installed: what is committed must still be there
        gone = update.names_in(committed) - update.names_in(made)
        assert len(gone) < 20, f"run scripts/update-catalog; gone: {sorted(gone)}"


def test_a_new_operation_without_a_class_is_a_problem(source: Source, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    text = (Path(update.__file__).parent / "overlay.yaml").read_text()
    overlay.write_text(text.replace("    - pin\n", ""))
    assert build(source, overlay).problems == ["clusters.pin: no class"]


def test_two_operations_of_one_call_are_a_problem(source: Source, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    text = (Path(update.__file__).parent / "overlay.yaml").read_text()
    extra = '  - {name: x.y, calls: ["POST /api/2.2/jobs/run-now", "GET /x"], class: read, source: test}\n'
    overlay.write_text(text + extra)
    (problem,) = build(source, overlay).problems
    assert problem == "POST /api/2.2/jobs/run-now: of jobs.run_now and x.y"


def test_calls_with_different_variables_are_no_operation(source: Source, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    text = (Path(update.__file__).parent / "overlay.yaml").read_text()
    overlay.write_text(
        text + '  - {name: x.y, calls: ["GET /x", "GET /y/{id}"], class: read, source: test}\n'
    )
    (problem,) = build(source, overlay).problems
    assert problem.startswith("x.y: its calls have not the same variables")


def test_the_command_reports_and_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "operations.jsonl"
    committed = update.FILE.read_text()
    lines = committed.splitlines(keepends=True)
    changed.write_text("".join(line for line in lines if '"name": "jobs.run_now"' not in line))
    monkeypatch.setattr(update, "FILE", changed)
    checked = CliRunner().invoke(update.main, ["--check"])
    assert checked.exit_code == 1
    assert "new: jobs.run_now" in checked.output
    assert CliRunner().invoke(update.main, []).exit_code == 0
    assert changed.read_text() == committed


WRONG = {
    "a kind of nothing": ("kinds", "- {type: x, of: [no_such]}\n", "kinds.yaml: no_such fits no parameter"),
    "an encoded variable of nothing": (
        "objects",
        "encoded:\n  - {of: [jobs.no_such.x], source: test}\n",
        "objects.yaml: encoded jobs.no_such.x fits no parameter",
    ),
    "a folder of nothing": (
        "objects",
        "below:\n  - {of: [workspace.export.no_such], source: test}\n",
        "objects.yaml: below workspace.export.no_such fits no parameter",
    ),
    "a condition that there is not": (
        "objects",
        "below:\n  - {of: [workspace.export.path], when: [no_such], source: test}\n",
        "objects.yaml: workspace.export has no no_such",
    ),
    "a stand-in that there is not": (
        "objects",
        "stand_ins:\n  - {holders: [jobs.get], of: [job_id, no_such], source: test}\n",
        "objects.yaml: stand_ins no_such: no holder has it",
    ),
    "an alternative of nobody": (
        "objects",
        "alternatives:\n  - {holders: [jobs.get], of: [a, b], source: test}\n",
        "objects.yaml: alternatives of jobs.get: it has no two of a, b",
    ),
}


@pytest.mark.parametrize(("which", "row", "problem"), WRONG.values(), ids=WRONG)
def test_a_row_that_fits_nothing_is_a_problem(
    source: Source, tmp_path: Path, which: str, row: str, problem: str
) -> None:
    """A parameter that is renamed in a new release takes what is known about it along, or somebody hears of it."""
    file = tmp_path / f"{which}.yaml"
    original = (makers.KINDS if which == "kinds" else makers.OBJECTS).read_text()
    section, _, rest = row.partition("\n")
    file.write_text(
        original + row if which == "kinds" else original.replace(f"\n{section}\n", f"\n{section}\n{rest}")
    )
    assert problem in build(source, **{which: file}).problems


def test_the_makers_give_the_same_whatever_the_order_of_sets() -> None:
    version = Source(update.sdk_folder()).version
    if version not in update.FILE.read_text().splitlines()[0]:
        pytest.skip("another release of the SDK is installed")
    ran = subprocess.run(
        [sys.executable, "-m", "catalogue.update", "--check"],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(update.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The files are up to date." in ran.stdout


BOUND = {
    "one segment": ("/api/2.0/jobs/{id}", "/api/2.0/jobs/7", {"id": "7"}),
    "a verb": ("/x/{name}:query", "/x/a:query", {"name": "a"}),
    "the rest": ("/fs/{path...}", "/fs/a/b/c", {"path": "a/b/c"}),
    "a rest with a verb": ("/x/{name...}:cancel", "/x/a/b:cancel", {"name": "a/b"}),
    "a rest in the middle": ("/x/{name...}/operations", "/x/a/b/operations", {"name": "a/b"}),
    "a shape": (
        "/p/{name=projects/*/branches/*}",
        "/p/projects/a/branches/b",
        {"name": "projects/a/branches/b"},
    ),
    "a shape, and more": (
        "/p/{parent=projects/*}/branches",
        "/p/projects/a/branches",
        {"parent": "projects/a"},
    ),
    "a shape with a verb": ("/p/{name=things/*}:run", "/p/things/a:run", {"name": "things/a"}),
    "a shape with a rest": ("/p/{name=**/operations/*}", "/p/a/b/operations/c", {"name": "a/b/operations/c"}),
    "two variables": ("/{a}/x/{b}", "/1/x/2", {"a": "1", "b": "2"}),
}


@pytest.mark.parametrize(("template", "path", "expected"), BOUND.values(), ids=BOUND)
def test_the_values_of_a_templates_variables(template: str, path: str, expected: dict[str, str]) -> None:
    from brickscope.core.rule import Rule, RuleTable

    rule = Rule("GET", parse_catalogue_template(template), "x")
    segments = path[1:].split("/")
    assert RuleTable([rule]).match("GET", segments) is rule
    assert bind(rule.template, segments) == expected


def test_a_long_path_costs_no_more_than_its_length() -> None:
    from brickscope.catalog.catalog import operation_table

    for start in ("/api/2.0/postgres/", "/api/2.0/feature-engineering/", "/api/2.0/fs/files/"):
        segments = (start + "operations/" * 8000 + "x")[1:].split("/")
        for _ in range(20):
            operation_table().match("GET", segments)
