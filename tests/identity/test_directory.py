"""The directory: one signature check a token, keys fetched once for all, rotation, limits, and closed when it breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.hostname import HostPatterns
from brickscope.core.jwt_token import Claims
from brickscope.core.key import KeySet
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import Issuer, Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.reason import Reason
from brickscope.core.rule import RuleTable
from brickscope.identity import directory as directory_module
from brickscope.identity import document as document_module
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import FetchError
from core.oauth import CLIENT_ID, ISSUER, NOW, jwk, key_set, signed
from core.wire import HOST

ETL = Subject("etl", RuleSet("r", RuleTable(()), RuleTable(())))
KNOWN = Policy({}, {}, Mode.ENFORCE, "rev", Principals({CLIENT_ID: ETL}))
URL = f"{ISSUER}/jwks.json"


class World:
    """What can be fetched, and how often it was."""

    def __init__(self, **documents: bytes | None) -> None:
        self.documents: dict[str, bytes | None] = {URL: key_set()}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, url: str) -> bytes | None:
        self.asked.append(url)
        await self.gate.wait()
        if url not in self.documents:
            raise FetchError("no such host")
        return self.documents[url]


async def verify(
    directory: TokenDirectory, token: bytes, host: str = HOST, now: float = NOW, known: Policy = KNOWN
) -> Claims | Reason:
    """As the gate does: ask, wait for what is not known, ask again."""
    settled: tuple[str, ...] = ()
    while True:
        try:
            return directory.settled(settled).verify(known, token, fingerprint(token), host, now)
        except NotYetKnown as unknown:
            await directory.learn(unknown)
            settled = (*settled, unknown.url)
        except Refused as refused:
            return refused.reason


def run(scene: Callable[[World, TokenDirectory], Awaitable[None]]) -> None:
    async def play() -> None:
        world = World()
        await scene(world, TokenDirectory(world.fetch))

    asyncio.run(play())


def test_a_token_is_verified_once_and_then_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        claims = await verify(directory, signed())
        assert isinstance(claims, Claims)
        assert claims.client_id == CLIENT_ID
        monkeypatch.setattr(KeySet, "is_signed", None)  # calling it would raise
        assert await verify(directory, signed()) == claims
        assert world.asked == [URL]

    run(scene)


def test_what_is_remembered_still_expires_and_stays_on_its_host() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        token = signed()
        assert isinstance(await verify(directory, token), Claims)
        assert await verify(directory, token, "dbc-x.cloud.databricks.com") is Reason.WRONG_ISSUER
        assert await verify(directory, token, now=NOW + 3600) is Reason.TOKEN_EXPIRED

    run(scene)


def test_a_token_of_another_signature_is_not_the_one_remembered() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        token = signed()
        await verify(directory, token)
        assert await verify(directory, token[:-6] + b"AAAAAA") in (
            Reason.BAD_SIGNATURE,
            Reason.MALFORMED_TOKEN,
        )

    run(scene)


def test_a_rotated_key_is_picked_up_at_once_and_a_withdrawn_one_dies_with_the_refresh() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        old = signed()
        await verify(directory, old)
        world.documents[URL] = key_set(jwk("key-2"))
        assert isinstance(await verify(directory, signed(kid="key-2")), Claims)
        assert world.asked == [URL, URL]
        assert await verify(directory, old) is Reason.UNKNOWN_KEY

    run(scene)


def test_unknown_keys_cannot_make_the_proxy_fetch_without_end() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        for index in range(50):
            assert await verify(directory, signed(kid=f"made-up-{index}")) is Reason.UNKNOWN_KEY
        assert len(world.asked) == document_module.BURST
        assert isinstance(await verify(directory, signed()), Claims)

    run(scene)


def test_one_fetch_serves_all_who_wait() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        world.gate.clear()
        waiting = [asyncio.create_task(verify(directory, signed(jti=str(index)))) for index in range(100)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # a client that leaves takes nothing from the others
        await asyncio.sleep(0)
        world.gate.set()
        found = await asyncio.gather(*waiting[1:])
        assert all(isinstance(claims, Claims) for claims in found)
        assert world.asked == [URL]

    run(scene)


FAILURES = {
    "no host": None,
    "no key set": b"<html>log in</html>",
    "no keys": b'{"keys": []}',
    "a private key": json.dumps({"keys": [jwk() | {"d": "AQ"}]}).encode(),
}


@pytest.mark.parametrize("content", FAILURES.values(), ids=FAILURES)
def test_a_key_set_that_cannot_be_had_denies_until_it_can(content: bytes | None) -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        if content is None:
            del world.documents[URL]
        else:
            world.documents[URL] = content
        assert await verify(directory, signed()) is Reason.KEY_SET_UNAVAILABLE
        world.documents[URL] = key_set()
        assert isinstance(await verify(directory, signed()), Claims)

    run(scene)


def test_keys_are_refreshed_ahead_of_time_and_die_when_they_are_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        clock = 1000.0
        monkeypatch.setattr(document_module.time, "monotonic", lambda: clock)
        await verify(directory, signed())
        clock += document_module.REFRESH_S + 1
        assert isinstance(await verify(directory, signed()), Claims)  # does not wait
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.asked == [URL, URL]
        del world.documents[URL]
        clock += document_module.KEEP_S - 1
        assert isinstance(await verify(directory, signed()), Claims)  # the host is away; the keys are known
        await asyncio.sleep(0)
        clock += 2
        assert await verify(directory, signed()) is Reason.KEY_SET_UNAVAILABLE

    run(scene)


def test_metadata_leads_to_keys_on_the_same_host_only() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        world.documents[URL] = None
        place = f"https://{HOST}/oidc/keys"
        for leads_to, expected in ((place, Claims), ("https://evil.example.com/keys", Reason), ("", Reason)):
            fresh = TokenDirectory(world.fetch)
            metadata = json.dumps({"jwks_uri": leads_to}).encode()
            world.documents |= {
                f"{ISSUER}/.well-known/openid-configuration": metadata,
                place: key_set(),
                "https://evil.example.com/keys": key_set(),
            }
            assert isinstance(await verify(fresh, signed()), expected)
        assert "https://evil.example.com/keys" not in world.asked

    run(scene)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "MAX_TOKENS", 10)
    monkeypatch.setattr(document_module, "MAX_DOCUMENTS", 10)
    monkeypatch.setattr(directory_module, "MAX_DOCUMENTS", 10)

    async def scene(world: World, directory: TokenDirectory) -> None:
        await verify(directory, signed())
        for index in range(40):
            assert isinstance(await verify(directory, signed(jti=str(index))), Claims)
            host = f"dbc-{index}.cloud.databricks.com"
            for path in ("", "/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a"):
                made_up = signed(iss=f"https://{host}/oidc{path}")
                assert await verify(directory, made_up, host) is Reason.KEY_SET_UNAVAILABLE
        assert len(directory._tokens) == 10
        assert len(directory._accounts) == 10
        assert len(directory._key_sets._documents) <= 11
        before = len(world.asked)
        assert isinstance(await verify(directory, signed()), Claims)
        assert len(world.asked) == before, "hosts that do not exist drove out the keys of one that does"

    run(scene)


def test_nobodys_token_makes_the_proxy_fetch_nothing() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        assert await verify(directory, signed(client_id="x", sub="x")) is Reason.UNKNOWN_PRINCIPAL
        assert world.asked == []
        watching = KNOWN._replace(mode=Mode.MONITOR)
        with pytest.raises(NotYetKnown):
            directory.verify(watching, signed(client_id="x", sub="x"), "f", HOST, NOW)

    run(scene)


def test_in_monitor_the_reason_is_the_one_that_enforce_has_where_the_keys_do_not_help() -> None:
    """Both say first whom the token names: two subjects are denied in every mode, a key that nobody has is not."""

    async def scene(world: World, directory: TokenDirectory) -> None:
        for bearer in (signed(client_id="x", sub="x"), signed(client_id="x", sub="x", kid="no")):
            for policy in (KNOWN, KNOWN._replace(mode=Mode.MONITOR)):
                settled = directory.settled([f"{ISSUER}/jwks.json"])
                with pytest.raises(Refused) as refused:
                    settled.verify(policy, bearer, "f", HOST, NOW)
                assert refused.value.reason is Reason.UNKNOWN_PRINCIPAL

    run(scene)


def test_made_up_accounts_of_a_host_share_one_limit_and_leave_its_own_keys_alone() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        for index in range(50):
            issuer = f"{ISSUER}/accounts/{index:08x}-0000-4000-8000-000000000000"
            assert await verify(directory, signed(iss=issuer)) is Reason.KEY_SET_UNAVAILABLE
        assert len(world.asked) == document_module.BURST
        assert isinstance(await verify(directory, signed()), Claims)

    run(scene)


def test_nobodys_tokens_leave_a_real_account_its_keys() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        account = f"{ISSUER}/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a"
        world.documents[f"{account}/jwks.json"] = key_set()
        for index in range(50):
            issuer = f"{ISSUER}/accounts/{index:08x}-0000-4000-8000-000000000000"
            assert (
                await verify(directory, signed(iss=issuer, client_id="x", sub="x"))
                is Reason.UNKNOWN_PRINCIPAL
            )
        assert isinstance(await verify(directory, signed(iss=account)), Claims)

    run(scene)


def test_an_account_that_the_policy_names_shares_no_limit_with_made_up_ones() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        account = f"{ISSUER}/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a"
        world.documents[f"{account}/jwks.json"] = key_set()
        named = KNOWN.principals._replace(issuers={account: Issuer(account, HostPatterns([HOST]))})
        for index in range(50):
            issuer = f"{ISSUER}/accounts/{index:08x}-0000-4000-8000-000000000000"
            assert await verify(directory, signed(iss=issuer)) is Reason.KEY_SET_UNAVAILABLE
        known = KNOWN._replace(principals=named)
        assert isinstance(await verify(directory, signed(iss=account), known=known), Claims)

    run(scene)


def test_the_clock_of_the_issuer_may_be_a_little_ahead() -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        assert isinstance(await verify(directory, signed(iat=NOW + 30)), Claims)
        assert await verify(directory, signed(iat=NOW + 90)) is Reason.TOKEN_NOT_YET_VALID

    run(scene)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b'{"workspace_id": "12"}', "12"),
        (b'{"workspace_id": 12}', "12"),
        (b'{"workspace_id": "1 or 2"}', None),
        (b'{"workspace_id": true}', None),
        (b"{}", None),
        (b"<html>", None),
        (None, None),
    ],
)
def test_a_host_says_which_workspace_it_is(said: bytes | None, expected: str | None) -> None:
    async def scene(world: World, directory: TokenDirectory) -> None:
        url = f"https://{HOST}/.well-known/databricks-config"
        world.documents[url] = said
        with pytest.raises(NotYetKnown) as unknown:
            directory.workspace_of(HOST, NOW)
        await directory.learn(unknown.value)
        assert directory.settled((url,)).workspace_of(HOST, NOW) == expected

    run(scene)
