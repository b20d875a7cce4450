"""Reading from disk: every file, of one moment, or a sentence that says why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brickscope.policy import load as module
from brickscope.policy.document import MAX_BYTES
from brickscope.policy.load import load_policy, signature
from brickscope.policy.problem import PolicyError

MONITOR = "version: 1\nmode: monitor\n"


def test_one_file_is_a_policy_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR)
    (tmp_path / "b.yaml").write_text("broken: [")
    loaded = load_policy(tmp_path / "a.yaml", 0)
    assert loaded.files == [tmp_path / "a.yaml"]
    assert loaded.signature == signature(tmp_path / "a.yaml")


def test_a_link_to_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR)
    (tmp_path / "b.yaml").symlink_to(tmp_path / "away.yaml")
    with pytest.raises(PolicyError, match=r"b\.yaml: error: can't be read: No such file"):
        load_policy(tmp_path, 0)


@pytest.mark.parametrize("name", ["b.yaml", "b.jwks.json"])
@pytest.mark.parametrize(
    "secret", ["Zr28Q~no-token-by-its-looks", "Zr28Q~no-token: x", '{"Zr28Q~no-token": [']
)
def test_a_link_out_of_the_folder_is_refused_and_nothing_of_it_said(
    tmp_path: Path, name: str, secret: str
) -> None:
    rules, away = tmp_path / "rules", tmp_path / "away"
    for folder in (rules, away):
        folder.mkdir()
    (rules / "a.yaml").write_text(MONITOR)
    (away / "secret").write_text(secret)
    for link in (rules / name, tmp_path / "elsewhere"):
        link.symlink_to(away / "secret")
    with pytest.raises(PolicyError, match="a link that leads out of the policy's folder") as caught:
        load_policy(rules, 0)
    assert "Zr28Q" not in f"{caught.value} {caught.value.problems}"
    (rules / name).unlink()
    (rules / name).symlink_to(tmp_path / "elsewhere")  # in two steps
    with pytest.raises(PolicyError, match="a link that leads out"):
        load_policy(rules, 0)


def test_a_link_to_itself_is_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR)
    (tmp_path / "b.yaml").symlink_to("b.yaml")
    with pytest.raises(
        PolicyError, match=r"b\.yaml: error: can't be read: Too many levels of symbolic links"
    ):
        load_policy(tmp_path, 0)


def test_links_within_the_folder_and_to_it_are_followed(tmp_path: Path) -> None:
    data = tmp_path / "rules" / "..data"
    data.mkdir(parents=True)
    (data / "a.yaml").write_text(MONITOR)
    (tmp_path / "rules" / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "link").symlink_to("rules")
    assert len(load_policy(tmp_path / "link", 0).files) == 1


@pytest.mark.parametrize("name", ["more.YAML", "more.Yml", "more.yaml ", "more.test.YAML"])
def test_a_name_that_only_case_or_blanks_tell_from_a_policy_files_is_refused(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text(MONITOR)
    (tmp_path / name).write_text("rule_sets: {}")
    right = f"more{'.test' if '.test' in name else ''}.{'yml' if 'Yml' in name else 'yaml'}"
    with pytest.raises(
        PolicyError, match=rf":1:1: error: a policy file's name ends .* \(rename it to {right}\)"
    ):
        load_policy(tmp_path, 0)


def test_a_pipe_named_like_a_policy_file_is_an_error_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(MONITOR)
    os.mkfifo(tmp_path / "q.yaml")
    with pytest.raises(PolicyError, match=r"q\.yaml: error: it is no file \(give it another name\)"):
        load_policy(tmp_path, 0)


def test_a_folder_named_like_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR)
    (tmp_path / "b.yaml").mkdir()
    assert [file.name for file in load_policy(tmp_path, 0).files] == ["a.yaml"]


def test_no_more_is_read_of_a_file_than_shows_that_it_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as stream:
        stream.truncate(200 * MAX_BYTES)  # a sparse file of 3 GiB
    with pytest.raises(PolicyError, match="more than 16 MiB"):
        load_policy(tmp_path, 0)


def test_an_edit_while_files_are_read_starts_the_reading_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR)
    reads: list[Path] = []

    def read(file: Path) -> bytes:
        reads.append(file)
        raw = file.read_bytes()
        if len(reads) == 1:
            file.write_text("version: 1\nmode: monitor # edited meanwhile\n")
        return raw

    monkeypatch.setattr(module, "_read", read)
    assert load_policy(tmp_path, 0).signature == signature(tmp_path)
    assert len(reads) == 2


def test_files_that_never_rest_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\n")

    def read(file: Path) -> bytes:
        with file.open("a") as stream:
            stream.write("#\n")
        return file.read_bytes()

    monkeypatch.setattr(module, "_read", read)
    with pytest.raises(PolicyError, match="the files keep changing"):
        load_policy(tmp_path, 0)


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(MONITOR)

    def read(file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(module, "_read", read)  # chmod does not stop root
    with pytest.raises(PolicyError, match=r"a\.yaml: error: can't be read: Permission denied"):
        load_policy(tmp_path, 0)
