"""The parsers: Python's, protobuf's and Werkzeug's in this process, Go's and Jackson's in programs of their own."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from werkzeug.wrappers import Request

SOURCES = Path(__file__).parent


class Reading(NamedTuple):
    """What a parser made of a body; None where it has nothing."""

    job_id: int | None = None
    enabled: bool | None = None
    target: str | None = None
    token: str | None = None
    paths: tuple[str, ...] = ()


def need(program: str) -> str:
    """The path of a program; skips without it, but never in CI."""
    found = shutil.which(program)
    if found is None:
        assert not os.environ.get("CI"), f"{program} is missing"
        pytest.skip(f"{program} is not installed")
    return found


def run(command: Sequence[str], lines: Sequence[str]) -> list[Any]:
    """Feed a program one line for each input, and read one line of JSON for each."""
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, timeout=110, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(lines)
    return found


def as_line(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def go(folder: Path) -> Path:
    """Go's encoding/json and net/url, as a program made in ``folder``."""
    program = folder / "read"
    subprocess.run([need("go"), "build", "-o", program, SOURCES / "read.go"], check=True, timeout=110)
    return program


def jackson(folder: Path) -> list[str]:
    """Jackson (pyspark brings it along), as a command."""
    compiler, machine = need("javac"), need("java")
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    jars = sorted((Path(spec.origin).parent / "jars").glob("jackson-[acd]*.jar"))
    path = os.pathsep.join([str(folder), *map(str, jars)])
    subprocess.run([compiler, "-cp", path, "-d", folder, SOURCES / "Read.java"], check=True, timeout=110)
    return [machine, "-XX:+UseSerialGC", "-cp", path, "Read"]


def readings(found: Sequence[dict[str, Any]]) -> list[Reading]:
    """What a program wrote of one body."""
    return [
        Reading(
            each["job_id"], each["enabled"], each["target"], each["token"], tuple(each.get("paths") or ())
        )
        for each in found
    ]


# -- protobuf ----------------------------------------------------------------------------------------------------------


def _message() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="call.proto", package="x", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto

    def message(name: str, *fields: tuple[str, int, str, bool]) -> None:
        added = file.message_type.add(name=name)
        for number, (own, kind, type_name, many) in enumerate(fields, 1):
            label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
            added.field.add(name=own, number=number, type=kind, type_name=type_name or None, label=label)

    message("Queue", ("enabled", field.TYPE_BOOL, "", False))
    message("Notebook", ("notebook_path", field.TYPE_STRING, "", False))
    message("Task", ("notebook_task", field.TYPE_MESSAGE, ".x.Notebook", False))
    words = file.enum_type.add(name="Target")
    for number, word in enumerate(("UNKNOWN", "STANDARD", "PERFORMANCE_OPTIMIZED")):
        words.value.add(name=word, number=number)
    message(
        "Call",
        ("job_id", field.TYPE_INT64, "", False),
        ("queue", field.TYPE_MESSAGE, ".x.Queue", False),
        ("performance_target", field.TYPE_ENUM, ".x.Target", False),
        ("idempotency_token", field.TYPE_STRING, "", False),
        ("tasks", field.TYPE_MESSAGE, ".x.Task", True),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("x.Call"))


_CALL = _message()
_TARGETS = ("UNKNOWN", "STANDARD", "PERFORMANCE_OPTIMIZED")


def protobuf(raw: bytes) -> list[Reading]:
    """google.protobuf's JSON mapping, with fields it does not know ignored."""
    call = _CALL()
    try:
        json_format.Parse(raw, call, ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError, RecursionError):
        return []
    paths = tuple(task.notebook_task.notebook_path for task in call.tasks)
    target = _TARGETS[call.performance_target] if call.performance_target < len(_TARGETS) else None
    return [Reading(call.job_id, call.queue.enabled, target, call.idempotency_token, paths)]


# -- Python ------------------------------------------------------------------------------------------------------------


def python(raw: bytes) -> list[Reading]:
    """Python's json and orjson, with the conversions that handlers write: ``int(...)``, truthiness, case."""
    found = []
    for parse in (json.loads, orjson.loads):
        with suppress(ValueError, RecursionError):
            body = parse(raw)
            if isinstance(body, dict):
                found += list(_handled(body))
    return found


def _handled(body: dict[str, Any]) -> Iterator[Reading]:
    queue = body.get("queue")
    token, target = body.get("idempotency_token"), body.get("performance_target")
    for first in (lambda each: each, lambda each: each[0] if isinstance(each, list) and each else each):
        job = None
        with suppress(ValueError, TypeError, OverflowError):
            job = int(first(body.get("job_id")))
        inner = first(queue)
        enabled = first(inner.get("enabled")) if isinstance(inner, dict) else None
        yield Reading(
            job,
            enabled is True or str(enabled).lower() in ("true", "1", "yes", "on", "t"),
            first(target).upper() if isinstance(first(target), str) else None,
            first(token) if isinstance(first(token), str) else None,
        )


# -- queries and forms -------------------------------------------------------------------------------------------------


def _request(query: bytes = b"", body: bytes = b"", content_type: str = "") -> Request:
    return Request(
        {
            "REQUEST_METHOD": "POST",
            "QUERY_STRING": query.decode("latin-1"),
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }
    )


def werkzeug_query(raw: bytes) -> list[dict[str, list[str]]]:
    """Werkzeug's reading of a query."""
    return [dict(_request(raw).args.lists())]


def werkzeug_form(raw: bytes) -> list[Reading]:
    """Werkzeug's reading of a body as a form."""
    form = _request(body=raw, content_type="application/x-www-form-urlencoded").form
    return [
        Reading(number, token=form.get("idempotency_token"), target=form.get("performance_target"))
        for number in form.getlist("job_id", type=int) or [None]
    ]


Parser = Callable[[bytes], list[Reading]]
HERE: dict[str, Parser] = {"protobuf": protobuf, "Python": python}
