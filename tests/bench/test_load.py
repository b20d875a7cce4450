"""The load generator counts every answer that is not the expected one."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.bench.load import Job, Result, run
from lab.bench.messages import BODY
from lab.bench.processes import start_helper
from lab.bench.sockets import Stream, StreamEnded
from lab.bench.upstream import ANSWER
from lab.bench.workload import calls, rule_texts, token
from lab.workspace.authority import Authority, Leaf

TOKENS, TEXTS = [token(0)], [rule_texts(30)]
ALLOWED, DENIED = (calls(TOKENS, TEXTS, 40, share) for share in (0, 1))
REFUSAL = b'{"error_code":"PERMISSION_DENIED"}'
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\ncontent-length: %d\r\n\r\n%b" % (len(REFUSAL), REFUSAL)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Leaf:
    return authority.issue(["*.cloud.databricks.com"])


@pytest.fixture(scope="module")
def upstream(leaf: Leaf) -> Iterator[int]:
    with start_helper("upstream", str(leaf.certificate_file), str(leaf.key_file)) as (_, output):
        yield int(output.readline())


@contextmanager
def server_with(leaf: Leaf, answer: Callable[[], bytes]) -> Iterator[int]:
    """A server that gives each request the next answer; an empty one closes the connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate_file, leaf.key_file)

    def talk(plain: socket.socket) -> None:
        try:
            with context.wrap_socket(plain, server_side=True) as secure:
                stream = Stream(secure)
                while stream.read_head() and (data := answer()):
                    stream.send(data)
        except (OSError, StreamEnded):
            plain.close()

    def accept() -> None:
        try:
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def send(authority: Authority, port: int, kind: str = "keep", denied: bool = False, **changes: Any) -> Result:
    mix = DENIED if denied else ALLOWED
    job = Job(kind, str(authority.ca_file), None, port, mix, connections=2, seconds=0.2)
    return run(job._replace(**changes), lambda: None)


def test_right_answers_are_not_wrong(authority: Authority, upstream: int) -> None:
    result = send(authority, upstream)
    assert result.done > 0
    assert (result.wrong, result.errors, result.opened) == (0, 0, 2)
    assert 0 < result.median_ms <= result.p99_ms


def test_fresh_opens_a_connection_for_each_call(authority: Authority, upstream: int) -> None:
    result = send(authority, upstream, "fresh")
    assert (result.wrong, result.errors) == (0, 0)
    assert result.opened == result.done > 0


def test_a_denial_that_was_forwarded_is_wrong(authority: Authority, upstream: int) -> None:
    result = send(authority, upstream, denied=True)
    assert result.wrong >= result.done > 0


def test_a_forwarded_denial_is_right_for_a_proxy_that_denies_nothing(
    authority: Authority, upstream: int
) -> None:
    result = send(authority, upstream, denied=True, denied_status=200)
    assert result.done > 0
    assert result.wrong == 0


@pytest.mark.parametrize(
    "answer",
    [
        FORBIDDEN,
        ANSWER.replace(b" 200 ", b" 502 "),
        ANSWER.replace(b"main_3", b"main_4"),
    ],
    ids=["denied although allowed", "another status", "another body"],
)
def test_a_wrong_answer_is_counted(authority: Authority, leaf: Leaf, answer: bytes) -> None:
    with server_with(leaf, lambda: answer) as port:
        result = send(authority, port)
    assert result.wrong >= result.done > 0


def test_a_right_denial_is_a_403_with_its_code(authority: Authority, leaf: Leaf) -> None:
    with server_with(leaf, lambda: FORBIDDEN) as port:
        assert send(authority, port, denied=True).wrong == 0
    with server_with(leaf, lambda: FORBIDDEN.replace(REFUSAL, b"x" * len(REFUSAL))) as port:
        assert send(authority, port, denied=True).wrong > 0


def test_an_announced_close_is_a_new_connection(authority: Authority, leaf: Leaf) -> None:
    closing = FORBIDDEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    with server_with(leaf, lambda: closing) as port:
        result = send(authority, port, denied=True)
    assert result.wrong == 0
    assert result.opened > 2


def test_a_hung_up_connection_is_an_error(authority: Authority, leaf: Leaf) -> None:
    with server_with(leaf, lambda: b"") as port:
        result = send(authority, port)
    assert result.errors > 0
    assert result.done == 0


@pytest.mark.parametrize("kind", ["download", "upload"])
def test_a_body_passes_whole(authority: Authority, upstream: int, kind: str) -> None:
    result = send(authority, upstream, kind, connections=1, size=3_000_000)
    assert (result.done, result.wrong, result.errors) == (1, 0, 0)
    assert result.seconds > 0


def test_the_first_event_comes_before_the_last(authority: Authority, upstream: int) -> None:
    result = send(authority, upstream, "events", connections=1)
    assert (result.done, result.errors) == (1, 0)


def test_the_process_does_the_job_it_is_told(authority: Authority, upstream: int, tmp_path: Path) -> None:
    job = Job("keep", str(authority.ca_file), None, upstream, ALLOWED, seconds=0.1)
    with start_helper("load") as (tell, hear):
        tell.write(json.dumps(job._asdict()) + "\n")
        tell.flush()
        assert hear.readline() == "ready\n"
        tell.write("go\n")
        tell.flush()
        result = Result(**json.loads(hear.readline()))
    assert result.done > 0
    assert (result.wrong, result.errors) == (0, 0)


def test_the_answer_is_about_half_a_kilobyte() -> None:
    assert 400 <= len(BODY) <= 600
