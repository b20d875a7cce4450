"""Calls that show a difference of two policies: judged by both as the proxy would, denied by the old, allowed by the new."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice

from brickscope.analysis.call import Call, Home, read_call
from brickscope.analysis.check.prover import Prover
from brickscope.analysis.example import path_example
from brickscope.analysis.judge import Known, Witness, address, home, judge
from brickscope.analysis.sent import CallError
from brickscope.analysis.way import ways
from brickscope.core.policy import Grant, Login, Mode

from .bindings import BindingChange
from .origin import Version

_UNHEARD_OF = "GET /brickscope/no/such/call"
MAX_TRIES = 50


class Contrast:
    """Judges calls of one subject under both policies. ``old``: None for somebody the old policy does not name."""

    def __init__(self, was: Version, old: Known | None, now: Version, new: Known, at: float) -> None:
        self._was, self._old, self._now, self._new = was, old, now, new
        expires = new.subject.expires
        self.at = at if expires is None or at < expires else expires - 1
        self._client = _shared_address(old, new)

    def prove(self, call: Call, client: str | None = None, at: float | None = None) -> Witness | None:
        """The call as a proof; None if it proves nothing: it went on before, or does not go on now."""
        where = self._client if client is None else client
        when = self.at if at is None else at
        try:
            now = judge(self._now.policy, self._new, call, when, where)
            was = None if self._old is None else judge(self._was.policy, self._old, call, when, where)
        except CallError:
            return None
        allowed = was is not None and was.allow
        went_on = was.forwards if was is not None else self._was.policy.mode is Mode.MONITOR
        if not (now.allow and not allowed) and not (now.forwards and not went_on):
            return None
        before = "the policy named nobody so" if was is None else f"{was.reason.value}: {was.detail}"
        return Witness(self._new.name, call, now.operation, now.rule, where, when, before)

    def prove_binding(self, change: BindingChange) -> Witness | None:
        """A call that a wider binding newly allows."""
        proofs = (self.prove(*each) for each in self._tries(change)) if change.effect.opens else ()
        return next(filter(None, proofs), None)

    def _tries(self, change: BindingChange) -> Iterator[tuple[Call, str | None, float | None]]:
        one, other = self._old and self._old.subject, self._new.subject
        own = home(self._new)
        if change.key == "grants":
            for call in _token_calls(other.grants - (one.grants if one else frozenset()), own):
                yield call, None, None
        elif change.key == "mode":
            yield read_call(_UNHEARD_OF, own), None, None
        elif one is None:
            return
        elif change.key == "workspaces":
            fresh = sorted((other.workspaces or frozenset()) - (one.workspaces or frozenset()))
            for workspace in fresh or ["elsewhere.cloud.databricks.com"]:
                there = self._new.subject._replace(workspaces=frozenset({workspace}))
                for call in self._allowed(self._new._replace(subject=there)):
                    yield call, None, None
        elif change.key == "clients":
            for client in _addresses(other.clients, one.clients or ()):
                for call in self._allowed(self._new):
                    yield call, client, None
        elif change.key == "expires":
            for call in self._allowed(self._new):
                yield call, None, max(self.at, one.expires or self.at)

    def _allowed(self, who: Known) -> Iterator[Call]:
        """Some calls that the new policy allows somebody, or is likely to."""
        subject, at = who.subject, home(who)
        if isinstance(subject, Login):
            yield from _token_calls(subject.grants, at)
            return
        prover = Prover(self._now.policy, who, subject.rule_set, self.at)
        allowed = ways(self._now.written.of(subject.rule_set.name, "allow"), once=True)
        proofs = map(prover.proof, islice(allowed, MAX_TRIES))
        yield from (proof.call for proof in proofs if proof is not None)
        for rule in subject.rule_set.allow.rules[:MAX_TRIES]:
            yield from path_example(rule, at)


def _token_calls(grants: frozenset[Grant], at: Home) -> Iterator[Call]:
    return (read_call(f"oidc.token grant={grant.value}", at) for grant in sorted(grants))


def shared_home(old: Known | None, new: Known) -> Home:
    """Where somebody's calls go under both policies; under the new one where no place is the same."""
    before = None if old is None else old.subject.workspaces
    after = new.subject.workspaces
    same = before if after is None else after if before is None else before & after
    return home(new._replace(subject=new.subject._replace(workspaces=same)) if same else new)


def _shared_address(old: Known | None, new: Known) -> str:
    """An address from which somebody may act under both policies; under the new one where there is none."""
    for who in (new, old):
        networks = None if who is None else who.subject.clients
        for network in networks or ():
            mine = address(new._replace(subject=new.subject._replace(clients=(network,))))
            if all(_is_from(mine, each) for each in (old, new) if each is not None):
                return mine
    return address(new)


def _is_from(client: str, who: Known) -> bool:
    networks = who.subject.clients
    return networks is None or any(ip_address(client) in network for network in networks)


_Networks = tuple[IPv4Network | IPv6Network, ...]


def _addresses(after: _Networks | None, before: _Networks) -> Iterator[str]:
    """Addresses from which the new policy lets somebody act and the old one did not."""
    candidates = ["192.0.2.1", "198.51.100.7", "10.0.0.1", "2001:db8::1"]
    if after is not None:
        candidates = [
            str(network[index])
            for network in after
            for index in ((1, -2) if network.num_addresses > 2 else (0, -1))
        ]
    for candidate in candidates:
        if not any(ip_address(candidate) in network for network in before):
            yield candidate
