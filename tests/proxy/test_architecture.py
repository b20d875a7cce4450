"""The walks of docs/architecture.md, held against traced runs: each names files in the order in which a run enters them."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
import pytest
from by_hand import Scene, answer, head, play, turn
from click.testing import CliRunner

from brickscope.cli.main import main
from brickscope.log.writer import AuditWriter
from brickscope.policy.watch import PolicyWatcher

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "addon" / "brickscope"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
POLICY = f"""\
version: 1
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: reader}}
rule_sets:
  reader:
    allow: [GET /api/2.1/unity-catalog/catalogs]
"""


@contextmanager
def traced() -> Iterator[list[str]]:
    """The files of the package that are entered meanwhile, in the order of their first call, in any thread."""
    found: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)) and code.co_name != "<module>":
            found[str(Path(code.co_filename).relative_to(PACKAGE))] = None

    way: list[str] = []
    threading.setprofile_all_threads(note)
    try:
        yield way
    finally:
        threading.setprofile_all_threads(None)
        way += found


def walk(heading: str) -> list[str]:
    """The files that a section names at the beginning of its steps, in their order."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. `([\w/]+\.py)`", section, re.M)


def request(folder: Path, target: str) -> list[str]:
    """A call on a tunnel that is open already, from its head to its answer."""
    way: list[str] = []

    async def story(scene: Scene) -> None:
        writer: Any = AuditWriter(folder / "audit.jsonl", folder)
        scene.gate.writer = writer
        writer.append("start", {})
        scene.begin()
        await turn()
        with traced() as found:
            scene.client.receive(head(target))
            await turn()
        if scene.hosts:
            scene.host.receive(answer(b"hello"))
            await turn()
        way.extend(found)
        writer.close()

    play(story)
    return way


def edit(folder: Path) -> list[str]:
    """An edit of a policy that is watched."""
    file = folder / "policy.yaml"
    file.write_text(POLICY)

    async def story() -> list[str]:
        loaded = asyncio.Event()
        watcher = PolicyWatcher(folder, lambda _: loaded.set(), lambda _: None, 0.01)
        task = asyncio.ensure_future(watcher.run())
        await asyncio.sleep(0.05)
        with traced() as way:
            file.write_text(POLICY + "mode: monitor\n")
            await asyncio.wait_for(loaded.wait(), 30)
        task.cancel()
        return way

    return asyncio.run(story())


def explain(folder: Path) -> list[str]:
    """``brickscope explain`` of a call that is denied."""
    main.get_command(click.Context(main), "explain")  # imported, which is no part of the way
    (folder / "policy.yaml").write_text(POLICY)
    words = ["explain", "--rules", str(folder), "--subject", "ci", "GET", "/api/2.0/sql/warehouses"]
    with traced() as way:
        result = CliRunner().invoke(main, words)
    assert result.exit_code == 1, result.output
    return way


RUNS: dict[str, Callable[[Path], list[str]]] = {
    "An allowed request": lambda folder: request(folder, "/ok/1"),
    "A denied request": lambda folder: request(folder, "/other"),
    "An edit of the policy": edit,
    "An explain": explain,
}


@pytest.mark.parametrize("heading", RUNS)
def test_a_walk_goes_the_way_of_a_run(heading: str, tmp_path: Path) -> None:
    way, named = RUNS[heading](tmp_path), walk(heading)
    assert len(named) >= 5
    assert [file for file in way if file in named] == named


def test_a_call_goes_through_few_files_before_it_is_sent(tmp_path: Path) -> None:
    way = request(tmp_path, "/ok/1")  # the first of its tunnel, whose host has to be dialled as well
    once = {each if each in ("core", "log") else file for file in way for each in [file.split("/")[0]]}
    shown = f"{len(way)} files, {len(once)} with core and log as one each: {' '.join(way)}"
    assert len(once) <= 16, shown
    assert len(way) <= 34, shown


def test_every_run_is_on_the_page() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.M)[: len(RUNS)] == list(RUNS)


def test_the_map_of_contributing_names_every_room() -> None:
    rooms = {each.name for each in PACKAGE.iterdir() if each.is_dir() and each.name != "__pycache__"}
    layout = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Layout\n")[2]
    table = [line for line in layout.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert len(table) <= 10
    assert set(re.findall(r"`([a-z]+)/`", " ".join(line.split("|")[1] for line in table))) == rooms
