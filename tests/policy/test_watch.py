"""Reload: good edits are handed over, bad ones reported once, and nothing ends the watch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.policy import watch
from brickscope.policy.load import Loaded, load_policy
from brickscope.policy.problem import PolicyError
from brickscope.policy.watch import PolicyWatcher

FINGERPRINT = "sha256:" + sha256(b"a").hexdigest()
TOKENS = f"version: 1\ntokens:\n  ci: {{fingerprint: '{FINGERPRINT}', rule_set: r}}\n"


def rules(path: str) -> str:
    return f"version: 1\nrule_sets:\n  r: {{allow: [GET {path}]}}\n"


class Watched:
    """A folder under watch, and what was said of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: list[Loaded] = []
        self.errors: list[PolicyError] = []
        (folder / "tokens.yaml").write_text(TOKENS)
        (folder / "rules.yaml").write_text(rules("/a"))
        self.watcher = PolicyWatcher(folder, self.loaded.append, self.errors.append, interval=0.02)

    async def until(self, look: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not look():  # noqa: ASYNC110 - what is looked at has no event
                await asyncio.sleep(0.01)

    def run(self, story: Callable[[], object]) -> None:
        async def go() -> None:
            task = asyncio.create_task(self.watcher.run())
            await asyncio.sleep(0.1)
            result = story()
            if asyncio.iscoroutine(result):
                await result
            task.cancel()

        asyncio.run(go())


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_good_edit_is_handed_over(watched: Watched) -> None:
    async def story() -> None:
        (watched.folder / "rules.yaml").write_text(rules("/b"))
        await watched.until(lambda: bool(watched.loaded))

    watched.run(story)
    assert watched.loaded[0].policy.tokens[FINGERPRINT].rule_set.allow.match("GET", ["b"])
    assert watched.errors == []


def test_an_edit_that_keeps_size_and_time_is_handed_over(watched: Watched) -> None:
    async def story() -> None:
        file = watched.folder / "rules.yaml"
        before = file.stat()
        file.write_text(rules("/b"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        await watched.until(lambda: bool(watched.loaded))

    watched.run(story)
    assert watched.loaded[0].policy.tokens[FINGERPRINT].rule_set.allow.match("GET", ["b"])


def test_nothing_happens_without_an_edit(watched: Watched) -> None:
    watched.run(lambda: asyncio.sleep(0.3))
    assert (watched.loaded, watched.errors) == ([], [])


def test_a_bad_edit_is_reported_once(watched: Watched) -> None:
    async def story() -> None:
        (watched.folder / "rules.yaml").write_text("nonsense: [")
        await watched.until(lambda: bool(watched.errors))
        await asyncio.sleep(0.3)

    watched.run(story)
    assert len(watched.errors) == 1
    assert watched.loaded == []


def test_a_file_nested_too_deeply_is_a_bad_edit(watched: Watched) -> None:
    async def story() -> None:
        (watched.folder / "rules.yaml").write_text("a: " + "[" * 1_000)
        await watched.until(lambda: bool(watched.errors))

    watched.run(story)
    assert "nested too deeply" in str(watched.errors[0])


def test_a_removed_file_is_an_edit(watched: Watched) -> None:
    async def story() -> None:
        (watched.folder / "rules.yaml").unlink()
        await watched.until(lambda: bool(watched.errors))
        await asyncio.sleep(0.2)

    watched.run(story)
    assert len(watched.errors) == 1
    assert "there is no rule set 'r'" in str(watched.errors[0])


def test_an_edit_between_the_load_and_the_first_look_is_noticed(watched: Watched) -> None:
    taken = load_policy(watched.folder, 0).signature
    watched.watcher = PolicyWatcher(
        watched.folder, watched.loaded.append, watched.errors.append, interval=0.02, taken=taken
    )
    (watched.folder / "rules.yaml").write_text(rules("/revoked"))
    watched.run(lambda: watched.until(lambda: bool(watched.loaded)))
    assert watched.loaded[0].policy.rule_sets["r"].allow.match("GET", ["revoked"])


def test_whoever_is_told_may_fail_and_the_watch_goes_on(watched: Watched) -> None:
    told: list[PolicyError] = []

    def fail(error: PolicyError) -> None:
        told.append(error)
        raise RuntimeError("broken on purpose")

    watched.watcher = PolicyWatcher(watched.folder, watched.loaded.append, fail, interval=0.02)

    async def story() -> None:
        (watched.folder / "rules.yaml").write_text("nonsense: [")
        await watched.until(lambda: bool(told))
        (watched.folder / "rules.yaml").write_text(rules("/b"))
        await watched.until(lambda: bool(watched.loaded))

    watched.run(story)


def test_a_removed_folder_is_reported_and_its_return_is_noticed(watched: Watched) -> None:
    async def story() -> None:
        away = watched.folder.with_name("away")
        watched.folder.rename(away)
        await watched.until(lambda: bool(watched.errors))
        away.rename(watched.folder)
        await watched.until(lambda: bool(watched.loaded))

    watched.run(story)


def test_an_edit_of_two_files_is_taken_as_one(watched: Watched) -> None:
    async def story() -> None:
        watched.watcher.interval = 0.3
        (watched.folder / "tokens.yaml").write_text(TOKENS.replace("rule_set: r", "rule_set: s"))
        await asyncio.sleep(0.1)
        (watched.folder / "rules.yaml").write_text(rules("/b").replace("  r:", "  s:"))
        await watched.until(lambda: bool(watched.loaded or watched.errors))

    watched.run(story)
    assert watched.errors == []
    assert watched.loaded[0].policy.tokens[FINGERPRINT].rule_set.name == "s"


def test_a_swapped_link_is_an_edit(watched: Watched) -> None:
    versions = watched.folder / "..versions"  # as Kubernetes mounts a ConfigMap
    for name in ("one", "two"):
        (versions / name).mkdir(parents=True)
        (versions / name / "rules.yaml").write_text(rules(f"/{name}"))
    (watched.folder / "rules.yaml").unlink()
    (versions / "now").symlink_to("one")
    (watched.folder / "rules.yaml").symlink_to(versions / "now" / "rules.yaml")

    async def story() -> None:
        (versions / "new").symlink_to("two")
        (versions / "new").rename(versions / "now")
        await watched.until(lambda: bool(watched.loaded))

    watched.run(story)
    assert watched.loaded[0].policy.rule_sets["r"].allow.match("GET", ["two"])


def test_whatever_raises_inside_is_reported_and_the_watch_goes_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, now: float) -> Loaded:
        raise RuntimeError("broken on purpose")

    async def story() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(watch, "load_policy", broken)
            (watched.folder / "rules.yaml").write_text(rules("/b"))
            await watched.until(lambda: bool(watched.errors))
        watched.watcher.poke()
        await watched.until(lambda: bool(watched.loaded))

    watched.run(story)
    assert "RuntimeError" in str(watched.errors[0])


def test_whoever_keeps_saving_cannot_keep_a_revocation_out_of_force(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = iter(range(10**9))
    monkeypatch.setattr(watched.watcher, "_look", lambda: f"edit {next(saves)}")  # never twice the same
    watched.run(lambda: watched.until(lambda: len(watched.loaded) >= 2))
    assert watched.errors == []
