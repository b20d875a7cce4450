"""Real credentials: fetched once for all who wait, renewed ahead, told where they fail, and never shown."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from brickscope.core.decision import Refused
from brickscope.core.entrusted import Entrusted, Kind, Source
from brickscope.core.placeholder import make_placeholder
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from brickscope.identity import source as sources
from brickscope.identity import store as stores
from brickscope.identity.fetch import FetchError
from brickscope.identity.mint import mint
from brickscope.identity.source import SourceError, read_source
from brickscope.identity.store import CredentialNeeded, CredentialStore, Secret
from core.wire import HOST, h1

REAL = "dapi" + "ca1ab1e5" * 4
SECRET = "dose" + "5ec4e700" * 4
REQUEST = read_request(h1())


def entrusted(source: Source, kind: Kind = Kind.TOKEN, **more: Any) -> Entrusted:
    return Entrusted("etl", kind, source, frozenset({HOST}), **more)


async def take(store: CredentialStore, name: str = "etl") -> bytes:
    """As the data path does it: wait once."""
    try:
        return store.take(name, REQUEST, None, 0).value
    except CredentialNeeded as needed:
        await store.learn(needed)
        return store.take(name, REQUEST, None, 0, {needed.url}).value


def reason(store: CredentialStore, name: str = "etl") -> Reason:
    with pytest.raises(Refused) as caught:
        asyncio.run(take(store, name))
    return caught.value.reason


# -- sources ---------------------------------------------------------------------------------------------------


def run(code: str) -> Source:
    return Source(command=(sys.executable, "-c", code))


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_each_source_gives_the_secret_without_its_line_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes((REAL + end).encode())
    monkeypatch.setenv("TOKEN_OF_A_TEST", REAL + end.replace("\r\n", "\n"))
    for source in (
        Source(file=str(file)),
        Source(environment="TOKEN_OF_A_TEST"),
        run(f"print({REAL!r})"),
    ):
        assert asyncio.run(read_source(source)) == REAL.encode()


WRONG: dict[str, tuple[Source, str]] = {
    "no file": (Source(file="/nowhere/at/all"), "can't be read (No such file"),
    "a folder": (Source(file="/"), "can't be read"),
    "no variable": (Source(environment="NO_SUCH_VARIABLE"), "it is empty"),
    "an empty output": (run("pass"), "it is empty"),
    "a status": (run(f"print({REAL!r}); raise SystemExit(7)"), "ended with status 7"),
    "no program": (Source(command=("/no/such/program",)), "can't be run"),
    "too much": (run("print('x' * 100_000)"), "printed too much"),
    "two lines": (run(f"print({REAL!r}); print({REAL!r})"), "not one line"),
    "a blank": (run(f"print('Bearer {REAL}')"), "not one line"),
    "a short one": (run("print('secret')"), "not one line"),
    "letters beyond ASCII": (run("print('\\u00e9' * 30)"), "not one line"),
    "a placeholder": (run(f"print({make_placeholder(bytes(32))!r})"), "not one line"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_secret_is_said_without_a_byte_of_it(name: str) -> None:
    source, message = WRONG[name]
    with pytest.raises(SourceError) as caught:
        asyncio.run(read_source(source))
    assert message in str(caught.value)
    assert REAL not in str(caught.value)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sources, "COMMAND_S", 1.0)
    pids = tmp_path / "pid"
    code = f"import os, time; os.fork(); open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    with pytest.raises(SourceError, match="took more than"):
        asyncio.run(read_source(run(code)))
    deadline = time.monotonic() + 5
    while any(_is_alive(int(pid)) for pid in pids.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_is_alive(int(pid)) for pid in pids.read_text().split())


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_gets_neither_input_nor_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_TOKEN_OF_A_TEST", REAL)
    code = "import os, sys; sys.stdin.read(); print(os.environ.get('OTHER_TOKEN_OF_A_TEST', 'x' * 30))"
    assert asyncio.run(read_source(run(code), {"OTHER_TOKEN_OF_A_TEST"})) == b"x" * 30


# -- the store -------------------------------------------------------------------------------------------------


class Mint:
    """A token endpoint. ``answers``: what it gives in turn, the last one again and again."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bytes, bytes | None]] = []

    async def post(self, url: str, form: bytes, authorization: bytes | None = None) -> bytes:
        self.asked.append((url, form, authorization))
        await asyncio.sleep(0.01)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def token(number: int, life: Any = 3600) -> bytes:
    return b'{"access_token": "%b", "expires_in": %b}' % (
        f"minted-{number}".encode() * 4,
        str(life).encode(),
    )


def principal(file: Path, **more: Any) -> dict[str, Entrusted]:
    file.write_text(SECRET)
    return {"etl": entrusted(Source(file=str(file)), Kind.DATABRICKS, client_id="6f1c", **more)}


def test_one_mint_for_all_that_wait(tmp_path: Path) -> None:
    endpoint = Mint(token(1))
    store = CredentialStore(principal(tmp_path / "s"), endpoint.post)

    async def calls() -> list[bytes]:
        return await asyncio.gather(*(take(store) for _ in range(50)))

    assert set(asyncio.run(calls())) == {b"minted-1" * 4}
    ((url, form, authorization),) = endpoint.asked
    assert url == f"https://{HOST}/oidc/v1/token"
    assert form == b"grant_type=client_credentials&scope=all-apis"
    assert authorization is not None


def test_it_is_renewed_ahead_while_the_old_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Mint(token(1), token(2))
    store = CredentialStore(principal(tmp_path / "s"), endpoint.post)

    async def calls() -> list[bytes]:
        found = [await take(store)]
        clock = time.monotonic() + 0.8 * 3600
        monkeypatch.setattr(stores, "time", SimpleNamespace(monotonic=lambda: clock))
        found += [store.take("etl", REQUEST, None, 0).value for _ in range(3)]  # none waits
        await asyncio.sleep(0.1)
        return [*found, await take(store)]

    assert asyncio.run(calls()) == [b"minted-1" * 4] * 4 + [b"minted-2" * 4]
    assert len(endpoint.asked) == 2


def test_one_that_has_ended_is_not_used_when_no_other_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CredentialStore(principal(tmp_path / "s"), Mint(token(1), FetchError("it is down")).post)

    async def calls() -> None:
        await take(store)
        clock = time.monotonic() + 3600
        monkeypatch.setattr(stores, "time", SimpleNamespace(monotonic=lambda: clock))
        await take(store)

    with pytest.raises(Refused, match="it is down") as caught:
        asyncio.run(calls())
    assert caught.value.reason is Reason.CREDENTIAL_UNAVAILABLE
    assert store.errors == {"etl": "it is down"}


def test_a_source_that_fails_is_left_alone_for_a_moment(tmp_path: Path) -> None:
    endpoint = Mint(FetchError("it is down"))
    store = CredentialStore(principal(tmp_path / "s"), endpoint.post)
    assert [reason(store) for _ in range(20)] == [Reason.CREDENTIAL_UNAVAILABLE] * 20
    assert len(endpoint.asked) == 1


async def refused_each_time(store: CredentialStore) -> list[bytes]:
    """What four calls were given, of which a host refused each."""
    found = []
    for _ in range(4):
        found.append(await take(store))
        store.refused(found[-1])
    return found


def test_what_was_refused_is_minted_anew_once_a_minute(tmp_path: Path) -> None:
    endpoint = Mint(token(1), token(2), token(3))
    store = CredentialStore(principal(tmp_path / "s"), endpoint.post)

    assert asyncio.run(refused_each_time(store)) == [b"minted-1" * 4] + [b"minted-2" * 4] * 3
    store.refused(b"somebody else's")


def test_one_that_was_refused_is_used_on_while_no_other_can_be_had(tmp_path: Path) -> None:
    """Or who provokes a 401 while the source is down takes it from all who share it."""
    endpoint = Mint(token(1), FetchError("it is down"))
    store = CredentialStore(principal(tmp_path / "s"), endpoint.post)

    assert asyncio.run(refused_each_time(store)) == [b"minted-1" * 4] * 4
    assert len(endpoint.asked) == 2
    assert store.errors == {"etl": "it is down"}


def test_where_it_may_be_used_and_what_it_is_not(tmp_path: Path) -> None:
    known = {
        "etl": entrusted(Source(environment="HOME"))._replace(
            workspaces=frozenset({"b.cloud.databricks.com"})
        )
    }
    assert reason(CredentialStore(known)) is Reason.CREDENTIAL_NOT_ALLOWED
    assert reason(CredentialStore(known), "other") is Reason.CREDENTIAL_NOT_ALLOWED
    assert reason(CredentialStore({})) is Reason.CREDENTIAL_NOT_ALLOWED


def test_another_definition_is_another_credential(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{REAL}-{name}")
    one, other = (entrusted(Source(file=str(tmp_path / name))) for name in ("a", "b"))
    store = CredentialStore({"etl": one})

    async def calls() -> list[bytes]:
        found = [await take(store)]
        store.swap({"etl": other})
        found.append(await take(store))
        store.swap({})
        return found

    assert asyncio.run(calls()) == [f"{REAL}-a".encode(), f"{REAL}-b".encode()]
    assert reason(store) is Reason.CREDENTIAL_NOT_ALLOWED


BAD_ANSWERS = [
    b"",
    b"[]",
    b"{}",
    token(1, 0),
    token(1, '"soon"'),
    token(1, "true"),
    b'{"access_token": "short", "expires_in": 9}',
    b'{"access_token": "a\\r\\nb-------------------------", "expires_in": 9}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("answer", BAD_ANSWERS, ids=range(len(BAD_ANSWERS)))
def test_an_answer_that_is_no_token_is_refused(answer: bytes) -> None:
    made = entrusted(Source(), Kind.DATABRICKS, client_id="6f1c")
    with pytest.raises(FetchError):
        asyncio.run(mint(made, HOST, SECRET.encode(), Mint(answer).post))


def test_azure_is_asked_in_its_tenant() -> None:
    endpoint = Mint(token(1, '"3599"'))
    made = entrusted(Source(), Kind.AZURE, client_id="6f1c", tenant="0d26", login="login.example")
    value, life = asyncio.run(mint(made, HOST, b"a~b.c-secret&=with-odd-ones", endpoint.post))
    assert (value, life) == (b"minted-1" * 4, 3599)
    ((url, form, authorization),) = endpoint.asked
    assert url == "https://login.example/0d26/oauth2/v2.0/token"
    assert b"client_secret=a~b.c-secret%26%3Dwith-odd-ones" in form
    assert authorization is None


def test_no_secret_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = Secret(REAL.encode())
    assert REAL not in f"{secret} {secret!r} {[secret]}"
    store = CredentialStore(principal(tmp_path / "s"), Mint(FetchError("it answered 401")).post)
    reason(store)
    assert "it answered 401" in caplog.text
    assert SECRET not in caplog.text


# -- files -----------------------------------------------------------------------------------------------------


def test_a_file_that_changes_is_read_and_one_that_is_gone_counts_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "LOOK_S", 0.02)
    file = tmp_path / "token"
    file.write_text(REAL)
    store = CredentialStore({"etl": entrusted(Source(file=str(file)))})

    async def until(what: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while not await what():  # noqa: ASYNC110 - it is a file that changes
                await asyncio.sleep(0.01)

    async def has(value: bytes) -> bool:
        return await take(store) == value

    async def is_gone() -> bool:
        try:
            await take(store)
        except Refused:
            return True
        return False

    async def calls() -> None:
        await take(store)
        watching = asyncio.create_task(store.watch())
        (tmp_path / "new").write_text(f"{REAL}-new")
        (tmp_path / "new").replace(file)
        await until(lambda: has(f"{REAL}-new".encode()))
        file.unlink()
        await until(is_gone)
        watching.cancel()

    asyncio.run(calls())


def test_a_hundred_rotations_fail_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty that call all the time, while the old token and the next one are valid."""
    monkeypatch.setattr(stores, "LOOK_S", 0.001)
    file = tmp_path / "token"
    file.write_text(f"{REAL}-0")
    store = CredentialStore({"etl": entrusted(Source(file=str(file)))})
    valid, calls = {f"{REAL}-0".encode()}, 0

    async def call(seen: set[bytes]) -> None:
        nonlocal calls
        while True:
            value = await take(store)  # raises where it can't be had
            assert value in valid
            seen.add(value)
            calls += 1
            await asyncio.sleep(0)

    async def rotate() -> None:
        seen: set[bytes] = set()
        working = [asyncio.create_task(call(seen)) for _ in range(20)]
        watching = asyncio.create_task(store.watch())
        try:
            for number in range(1, 101):
                new = f"{REAL}-{number}"
                valid.add(new.encode())
                (tmp_path / "new").write_text(new)
                (tmp_path / "new").replace(file)
                async with asyncio.timeout(20):
                    while new.encode() not in seen:
                        assert not any(each.done() for each in working)
                        await asyncio.sleep(0.001)
                valid.discard(f"{REAL}-{number - 1}".encode())
        finally:
            for each in (*working, watching):
                each.cancel()

    asyncio.run(rotate())
    assert calls > 1000
