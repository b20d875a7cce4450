"""The configurations that ship the log: every option is one of the program's, nothing is lost, and what is sent twice shows.

Neither program comes from a package registry, so they are held against excerpts of their references (``options.yaml``), and
run only where somebody has installed them.
"""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.example_records import decision
from brickscope.audit.event import COLUMNS

ROOT = Path(__file__).parents[2]
VECTOR = yaml.safe_load((ROOT / "docs" / "deploy" / "vector.yaml").read_text())
FLUENT = yaml.safe_load((ROOT / "docs" / "deploy" / "fluent-bit.yaml").read_text())
OPTIONS = yaml.safe_load((Path(__file__).parent / "options.yaml").read_text())
LIVE_AND_CLOSED = ["audit.jsonl", "audit-20261124T193000Z-1a2b3c4d-5000.jsonl"]
COMPRESSED = [f"{name}{ending}" for name in LIVE_AND_CLOSED for ending in (".zst", ".gz")]


def flat(options: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", value


def components() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each component with the options that its kind has."""
    for kind in ("sources", "transforms", "sinks"):
        for name, options in VECTOR[kind].items():
            yield f"vector {name}", options, OPTIONS["vector"][kind][options["type"]]
    for kind in ("inputs", "filters", "outputs"):
        for options in FLUENT["pipeline"][kind]:
            yield f"fluent-bit {options['name']}", options, OPTIONS["fluent_bit"][kind][options["name"]]
    yield "fluent-bit service", FLUENT["service"], OPTIONS["fluent_bit"]["service"]


@pytest.mark.parametrize(("name", "options", "known"), components(), ids=[name for name, *_ in components()])
def test_every_option_is_one_of_the_program(
    name: str, options: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    for option, value in flat(options):
        if option not in ("type", "name", "inputs"):
            assert option in known, option
            assert known[option] is None or value in known[option], f"{option}: {value}"


def test_every_input_of_vector_is_there() -> None:
    ids = {*VECTOR["sources"], *VECTOR["transforms"]}
    ids |= {f"{name}.dropped" for name, each in VECTOR["transforms"].items() if each["reroute_dropped"]}
    used = {
        each for kind in ("transforms", "sinks") for one in VECTOR[kind].values() for each in one["inputs"]
    }
    assert used == ids


def test_every_input_of_fluent_bit_goes_somewhere() -> None:
    pipeline = FLUENT["pipeline"]
    assert {each["tag"] for each in pipeline["inputs"]} == {each["match"] for each in pipeline["outputs"]}
    parsers = {each["name"] for each in FLUENT["parsers"]}
    assert {each["parser"] for each in pipeline["inputs"] if "parser" in each} == parsers
    assert len({each["db"] for each in pipeline["inputs"]}) == len(pipeline["inputs"])


def test_vector_loses_nothing() -> None:
    """The position in a file moves on when the destination has the lines; until then the file is the buffer."""
    for source in VECTOR["sources"].values():
        assert source["read_from"] == "beginning"
        assert not {"ignore_older_secs", "rotate_wait_secs", "remove_after_secs"} & set(source)
    for name in ("evidence", "search"):
        sink = VECTOR["sinks"][name]
        assert sink["acknowledgements"]["enabled"] is True
        assert sink["buffer"]["when_full"] == "block"
        assert sink["buffer"]["type"] == "memory"
    transform = VECTOR["transforms"]["records"]
    assert transform["drop_on_error"] is transform["reroute_dropped"] is True


def test_fluent_bit_loses_nothing() -> None:
    for tail in FLUENT["pipeline"]["inputs"]:
        assert tail["read_from_head"] is True
        assert tail["storage.type"] == "filesystem"
        assert tail["db.sync"] == "full"
        assert "ignore_older" not in tail
    bucket, search = FLUENT["pipeline"]["outputs"]
    assert bucket["retry_exhausted_action"] == "quarantine"
    assert search["retry_limit"] == "no_limits"
    assert FLUENT["service"]["storage.sync"] == "full"


def test_the_bucket_gets_lines_as_they_were_written() -> None:
    """``verify`` needs every byte: a program that parses and writes JSON anew breaks all hashes."""
    assert VECTOR["sinks"]["evidence"]["encoding"] == {"codec": "text"}
    assert VECTOR["sinks"]["evidence"]["inputs"] == ["lines"]
    assert VECTOR["sources"]["lines"]["type"] == "file"
    tail, bucket = FLUENT["pipeline"]["inputs"][0], FLUENT["pipeline"]["outputs"][0]
    assert "parser" not in tail
    assert bucket["match"] == tail["tag"]
    assert bucket["log_key"] == tail["key"]


def test_a_record_has_one_id_wherever_it_comes_from() -> None:
    made = '.record_id = string!(.instance) + "-" + to_string(int!(.seq))'
    assert made in VECTOR["transforms"]["records"]["source"]
    assert VECTOR["sinks"]["search"]["id_key"] == "record_id"
    assert VECTOR["sinks"]["search"]["bulk"]["action"] == "create"
    (lua,), search = FLUENT["pipeline"]["filters"], FLUENT["pipeline"]["outputs"][1]
    assert 'record.instance .. "-" .. string.format("%d", record.seq)' in lua["code"]
    assert (search["id_key"], search["write_operation"]) == ("record_id", "create")


@pytest.mark.parametrize(
    "pattern",
    [
        *(each for source in VECTOR["sources"].values() for each in source["include"]),
        *(tail["path"] for tail in FLUENT["pipeline"]["inputs"]),
    ],
)
def test_live_and_closed_files_are_shipped_and_compressed_ones_are_not(pattern: str) -> None:
    folder, _, names = pattern.rpartition("/")
    assert folder == "/var/log/brickscope"
    assert fnmatch.filter(LIVE_AND_CLOSED, names) == LIVE_AND_CLOSED
    assert fnmatch.filter(COMPRESSED, names) == []


def test_numbers_and_lists_pass_through_lua() -> None:
    (lua,) = FLUENT["pipeline"]["filters"]
    whole = {name for name, kind in COLUMNS.items() if kind in ("INTEGER", "BIGINT")}
    assert set(lua["type_int_key"].split()) == whole
    assert set(lua["type_array_key"].split()) == {"scope_hosts", "problems", "key_ids", "param_names"}
    assert all(COLUMNS[name] == "JSON" for name in lua["type_array_key"].split())


def test_fluent_bit_can_read_the_time_of_a_record() -> None:
    (parser,) = FLUENT["parsers"]
    form = parser["time_format"].replace("%L", "%f")
    assert datetime.strptime(decision()["time"], form).replace(tzinfo=UTC).year == 2026


@pytest.mark.parametrize("file", ["vector.yaml", "fluent-bit.yaml"])
def test_no_secret_is_asked_for_in_a_file(file: str) -> None:
    text = (ROOT / "docs" / "deploy" / file).read_text()
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    for word in ("password", "passwd", "secret", "access_key", "api_key", "${"):
        assert word not in code


@pytest.mark.parametrize(
    "command",
    [
        ["vector", "validate", "--no-environment", "docs/deploy/vector.yaml"],
        ["fluent-bit", "--dry-run", "-c", "docs/deploy/fluent-bit.yaml"],
    ],
    ids=["vector", "fluent-bit"],
)
def test_the_program_itself_takes_it(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed, and no package registry has it")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
