"""The Dockerfile: linted by hadolint, its steps run as they are written, and its command run as the image's user on a root
that can't be written."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.box import ROOT, USER, Box, one, read_dockerfile
from deploy.boxed_proxy import IMAGE_PATH, boxed_proxy, environment_of
from e2e.proxy_process import free_port
from lab.workspace.server import FakeWorkspace

STAGES = read_dockerfile()
FINAL = STAGES[-1]
COMMAND = [*one(FINAL, "ENTRYPOINT").words, *one(FINAL, "CMD").words]
ENVIRONMENT = environment_of(one(FINAL, "ENV").value, IMAGE_PATH.partition(":")[2])


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_user_is_a_number_and_not_root() -> None:
    user, _, group = one(FINAL, "USER").value.partition(":")
    assert (int(user), int(group)) == (USER, USER)


def test_no_step_needs_a_shell() -> None:
    for stage in STAGES:
        for step in stage:
            if step.name in ("RUN", "ENTRYPOINT", "CMD"):
                assert json.loads(step.value) == step.words, step


def test_only_what_is_installed_and_two_folders_come_into_the_final_stage() -> None:
    assert [step.value for step in FINAL if step.name == "COPY"] == [
        "--from=build /opt/brickscope /opt/brickscope"
    ]
    (made,) = [step.words for step in FINAL if step.name == "RUN"]
    assert made[-2:] == one(FINAL, "VOLUME").words


def test_the_context_has_only_what_the_build_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = [word for step in STAGES[0] if step.name == "COPY" for word in step.words[:-1]]
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied)


def test_the_scripts_of_the_checkout_and_of_the_package_are_one() -> None:
    def code(path: Path) -> str:
        return path.read_text().partition("\n")[2]

    assert code(ROOT / "addon" / "scope.py") == code(ROOT / "addon" / "brickscope" / "script" / "scope.py")


def test_the_code_belongs_to_root_and_the_volumes_to_the_user(image: Box) -> None:
    package = image.folder / "opt" / "brickscope"
    for file in [package, *package.rglob("*")]:
        if not file.is_symlink():
            status = file.stat()
            assert status.st_uid == 0, file
            assert status.st_mode & 0o022 == 0, file
    for volume in one(FINAL, "VOLUME").words:
        status = (image.folder / volume.strip("/")).stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (USER, USER, 0o700)


def test_it_holds_nothing_of_the_tests_and_no_extra(image: Box) -> None:
    done = image.run(["/opt/brickscope/bin/python", "-m", "pip", "list", "--format=json"], user=USER)
    names = {each["name"].lower() for each in json.loads(done.stdout)}
    assert "brickscope" in names
    assert not {"pytest", "hypothesis", "pyspark", "selenium", "mypy"} & names


@pytest.mark.parametrize("words", [["brickscope", "--version"], ["brickscope", "check", "--help"]])
def test_commands_run_for_a_user_without_name_and_home(image: Box, words: list[str]) -> None:
    done = image.run(words, user=USER, environment={"PATH": IMAGE_PATH})
    assert done.returncode == 0, done.stderr


def test_without_a_policy_it_does_not_start_and_says_why(image: Box) -> None:
    done = image.run(
        ["brickscope", "proxy", "-p", str(free_port())],
        user=USER,
        environment={"PATH": IMAGE_PATH, "HOME": "/var/lib/brickscope"},
        writable=["/var/lib/brickscope"],
    )
    assert done.returncode == 1
    assert "There is no policy in" in done.stderr
    assert "--set scope_rules=FOLDER" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_image_serves_from_a_root_that_cannot_be_written(
    image: Box, tmp_path: Path, workspace: FakeWorkspace, authority: Path
) -> None:
    with boxed_proxy(
        image,
        tmp_path,
        COMMAND,
        workspace,
        authority,
        confdir="/var/lib/brickscope/ca",
        environment=ENVIRONMENT,
    ) as proxy:
        proxy.works()
        status = Path(f"/proc/{proxy.boxed.pid}/status").read_text()
        assert f"\nUid:\t{USER}\t{USER}\t{USER}\t{USER}\n" in status
        assert "\nCapEff:\t0000000000000000\n" in status
        assert "\nCapBnd:\t0000000000000000\n" in status
        assert "\nNoNewPrivs:\t1\n" in status
        assert "\nNSpid:" in status
        assert status.partition("\nNSpid:")[2].splitlines()[0].split()[-1] == "1"
        check = _health_check(proxy.status_port)
        assert image.run(check, user=USER, environment={"PATH": IMAGE_PATH}).returncode == 0
        assert proxy.boxed.stop(60) == 0
        assert proxy.records("stop")
        assert image.run(check, user=USER, environment={"PATH": IMAGE_PATH}).returncode != 0


def _health_check(port: int) -> list[str]:
    value = one(FINAL, "HEALTHCHECK").value
    words: list[str] = json.loads(value[value.index("[") :])
    return [word.replace("9464", str(port)) for word in words]


def test_the_stop_signal_is_the_one_that_the_proxy_ends_by() -> None:
    assert one(FINAL, "STOPSIGNAL").value == "SIGTERM"


def test_labels_are_those_of_the_open_containers_annotations() -> None:
    labels = dict(word.split("=", 1) for word in shlex.split(one(FINAL, "LABEL").value))
    assert set(labels) == {
        f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses")
    }
