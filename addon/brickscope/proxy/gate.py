"""The gate: policy, log and decision in one place.

Free of sockets and protocols, which ask it: the data path decides nothing itself.
"""

import contextlib
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from brickscope import notice
from brickscope.core.credential import read_pair
from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.directory import Directory
from brickscope.core.grant import is_token_request
from brickscope.core.header import MANAGEMENT
from brickscope.core.pending import BodyNeeded, NotYetKnown
from brickscope.core.policy import Policy
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import ApiRequest, WireRequest, read_request
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.store import CredentialNeeded, CredentialStore, Secret
from brickscope.log.error import AuditError
from brickscope.log.key import DigestKey
from brickscope.log.record import (
    Record,
    decision_fields,
    decision_record,
    is_clean,
    printable,
    redacted,
)
from brickscope.log.writer import AuditWriter, Batch
from brickscope.service.monitoring.tally import Tally

from .denial import Asked
from .destination import Destinations

_new = tuple.__new__  # as in core/path.py
_NOTHING = Asked("", "", "")
MAX_AGENT = 256


class Verdict(NamedTuple):
    """A decision and what the rest of the way needs of it. Nothing may be done about it before ``Gate.commit``.

    ``asked``: what a denial says of the request. ``started``: when it was made, in monotonic seconds. ``request``: the
    reading, None where there was none. ``secret``: what is sent in the place of a placeholder; None where nothing is
    exchanged. ``batch``: the records that its own is written with; None where it could not be made.
    """

    decision: Decision
    decision_id: str
    asked: Asked
    started: float
    request: ApiRequest | None = None
    secret: bytes | None = None
    batch: Batch | None = None


class Gate:
    """Decides, and records each decision before anything is done about it."""

    def __init__(
        self,
        destinations: Destinations,
        writer: AuditWriter,
        policy: Policy,
        directory: TokenDirectory,
        digests: DigestKey,
        credentials: CredentialStore | None = None,
        *,
        hints: bool = True,
        body_limit: int = 16 * 1024 * 1024,
    ) -> None:
        """``digests``: stand in the log for values that can't. ``credentials``: what placeholders stand for, nothing by
        default. ``hints``: whether a denial tells the client what would allow the call. ``body_limit``: the largest body
        that is held back to be judged, in bytes."""
        self.destinations = destinations
        self.writer = writer
        self.digests = digests
        self.tally = Tally()
        self.directory = directory
        self.credentials = CredentialStore({}) if credentials is None else credentials
        self.hints = hints
        self.body_limit = body_limit
        self.soon: Callable[[Callable[[], None]], object] | None = None
        """Calls a function when all that is ready in the event loop has had its turn; None: outcomes are written at once."""
        self.draining = False
        """Whether the proxy is about to stop (``drain.py``)."""
        self.swap(policy)

    def swap(self, policy: Policy) -> None:
        """Decide by another policy from now on. One reference changes, so no request sees half of it."""
        self.policy = policy
        self.writer.revision = policy.revision
        self.tally.know(policy)

    # -- decisions ---------------------------------------------------------------------------------------------

    def judge(
        self,
        wire: WireRequest,
        client_address: str,
        refused: Refused | None = None,
        body: bytes | None = None,
        settled: Collection[str] = (),
        unread: Refused | None = None,
    ) -> Verdict:
        """Decide on a request, and keep the record of it, which ``commit`` has written. An error of any kind is a denial.

        ``refused``: why it is refused already (its head is malformed), whatever the policy says.
        ``body``: the request's, where it was held. ``settled``: URLs of documents that were waited for already.
        ``unread``: why the body can't be held: what only a look into it would allow, is denied, or goes on in ``monitor``.
        Raises NotYetKnown or BodyNeeded, with nothing recorded, where something has to be had first.
        """
        started = time.monotonic()
        policy = self.policy
        request: ApiRequest | None = None
        secret: Secret | None = None
        try:
            if refused is not None:
                raise refused
            request = read_request(wire)
            if unread is not None and request.flaw is None:
                request = request._replace(flaw=unread)
            directory: Directory = self.directory.settled(settled) if settled else self.directory
            now = time.time()
            decision = decide(policy, request, client_address, now, directory, body)
            if decision.credential is not None and decision.allow:
                decision, secret = self._exchange(decision, request, directory, now, settled)
            elif decision.subject is None and decision.fingerprint in self.credentials.remembered:
                decision = self._bypassed(decision)
        except (NotYetKnown, BodyNeeded):
            raise
        except Refused as error:
            decision = error.decision(policy.revision)
        except Exception as error:
            decision = self.internal(error)
        decision_id = self.writer.new_decision_id()
        asked, batch = _NOTHING, None
        try:
            secrets = find_secrets(wire) if request is None else secrets_of(request)
            # What a rule allows is said in our own words alone.
            if decision.reason is not Reason.ALLOWED_BY_RULE:
                decision = decision._replace(detail=redacted(decision.detail, secrets))
            (method, path, host), user_agent = _describe(wire, request, secrets)
            if decision.forwards:  # told only where its record is lost
                asked = _new(Asked, (method, path, host, decision.grant is not None, self.hints, None))
            else:
                asked = self._told(decision, request, method, path, host)
            fields = decision_record(
                decision,
                decision_id,
                client_address,
                host=host,
                method=method,
                path=path,
                workspace=None if request is None else _shown_workspace(request.workspace),
                has_body=None if request is None else request.has_body,
                user_agent=user_agent,
                secrets=secrets,
                key=self.digests,
                sent=None if secret is None else secret.fingerprint,
            )
            batch = self._keep("decision", fields)
        except Exception as error:
            decision, secret = self.unrecorded(error), None
        placed = None if secret is None else secret.value
        return _new(Verdict, (decision, decision_id, asked, started, request, placed, batch))

    def _told(
        self, decision: Decision, request: ApiRequest | None, method: str, path: str, host: str
    ) -> Asked:
        """What its denial says of a request."""
        contact = None
        if decision.reason.kind in (Kind.POLICY, Kind.SUBJECT):
            contact = self.policy.contact_of(decision.rule_set)
        oauth = request is not None and is_token_request(request)
        return Asked(method, path, host, oauth, self.hints, contact)

    def commit(self, verdict: Verdict) -> Verdict:
        """A verdict that is on record, with all others of this turn of the event loop; a denial in its place where it can't
        be."""
        if verdict.batch is not None:
            try:
                self.writer.commit(verdict.batch)
            except Exception as error:
                verdict = verdict._replace(decision=self.unrecorded(error), secret=None)
        self.tally.decided(verdict.decision, time.monotonic() - verdict.started)
        return verdict

    def _keep(self, event: str, fields: Record) -> Batch:
        """Keep a record, to be written when this turn of the event loop is over, or when somebody needs it."""
        batch = self.writer.keep(event, fields)
        if batch.waiting + batch.outcomes == 1 and self.soon is not None:  # its first, whoever began it
            self.soon(self._flush)
        return batch

    def _exchange(
        self,
        decision: Decision,
        request: ApiRequest,
        directory: Directory,
        now: float,
        settled: Collection[str],
    ) -> tuple[Decision, Secret | None]:
        """What the placeholder of an allowed call stands for; without it the call is denied. Raises NotYetKnown."""
        assert decision.credential is not None
        try:
            return decision, self.credentials.take(decision.credential, request, directory, now, settled)
        except Refused as refused:
            return decision._replace(allow=False, reason=refused.reason, detail=refused.detail), None

    def _bypassed(self, decision: Decision) -> Decision:
        """The denial of somebody who has the real credential: it has left the store, and the policy does not know it."""
        assert decision.fingerprint is not None
        name = self.credentials.remembered[decision.fingerprint]
        detail = f"this is the credential {name!r} itself, for which there are placeholders"
        return decision._replace(
            allow=False, enforced=True, reason=Reason.PLACEHOLDER_BYPASSED, detail=detail, credential=name
        )

    async def learn(self, unknown: NotYetKnown) -> None:
        """Fetch what a decision needs. Raises nothing; decide again afterwards."""
        if isinstance(unknown, CredentialNeeded):
            await self.credentials.learn(unknown)
        else:
            await self.directory.learn(unknown)

    def judge_again(
        self,
        request: ApiRequest,
        client_address: str,
        credential: str | None = None,
        settled: Collection[str] = (),
    ) -> Decision:
        """Decide anew, by the present policy, operator's file and time, on a call that is under way; nothing is recorded.
        ``credential``: the name of what was sent in the place of a placeholder; its source may be down meanwhile.
        ``settled``: as ``judge``'s. Raises NotYetKnown."""
        directory, now = self.directory.settled(settled), time.time()
        try:
            decision = decide(self.policy, request, client_address, now, directory)
            if decision.allow and decision.credential != credential:
                detail = "the policy names another credential for it"
                raise Refused(Reason.CREDENTIAL_NOT_ALLOWED, detail)
            if decision.allow and credential is not None:
                self.credentials.find(credential, request, directory, now)
            return decision
        except NotYetKnown:
            raise
        except Refused as refused:
            return refused.decision(self.policy.revision)
        except Exception as error:
            return self.internal(error)

    def internal(self, error: Exception) -> Decision:
        """The denial for something that failed inside. The text of the error stays out of log and answer: it may
        hold what the client sent."""
        notice.error("hook_failed", f"{type(error).__name__} while a request was judged; it was denied")
        return self.refuse(Reason.INTERNAL_ERROR, f"{type(error).__name__} inside the proxy")

    def unrecorded(self, error: Exception) -> Decision:
        """The denial for a decision that could not be recorded."""
        self._say_unrecorded("call was denied because its record", error)
        return self.refuse(Reason.AUDIT_UNAVAILABLE, "the audit log can't be written")

    # -- records -----------------------------------------------------------------------------------------------

    def record(self, event: str, fields: Record) -> None:
        """Write a record that no call waits for; a failure is reported, and the next decision will be a denial."""
        try:
            self.writer.append(event, fields)
        except Exception as error:
            self._say_unrecorded(f"{event} record", error)

    def _say_unrecorded(self, what: str, error: Exception) -> None:
        # A log that can't be written is told of once by its writer; a line for each record would fill the other disk too.
        if not (isinstance(error, AuditError) and self.writer.is_failing):
            why = str(error) if isinstance(error, AuditError) else type(error).__name__
            notice.error("unrecorded", f"a {what} could not be written: {why}")

    def record_outcome(self, fields: Record) -> None:
        """Record how a call ended, in one write with what else happens in this turn of the event loop: no call waits for it,
        and what was said of the call before it went on is written already."""
        try:
            batch = self._keep("outcome", fields)
            if self.soon is None:
                self.writer.commit(batch)
        except Exception as error:
            self._say_unrecorded("outcome record", error)

    def _flush(self) -> None:
        """Write what was kept. What fails is told by the writer, and denied where somebody asks for it (``commit``)."""
        with contextlib.suppress(AuditError):
            self.writer.flush()

    def record_tunnel(self, decision: Decision, client_address: str, host: str, port: int) -> str:
        """Record what became of a CONNECT. Returns the decision id. Raises AuditError if it can't be written."""
        decision_id = self.writer.new_decision_id()
        self.writer.append(
            "tunnel",
            {
                "decision_id": decision_id,
                **decision_fields(decision),
                "client_address": client_address,
                "server_address": printable(host)[:256],
                "server_port": port,
            },
        )
        self.tally.tunnelled(decision)
        return decision_id

    def refuse(self, reason: Reason, detail: str) -> Decision:
        """A denial that no rule makes, under the present policy."""
        return Refused(reason, detail).decision(self.policy.revision)


def header(fields: Any, wanted: bytes) -> bytes:
    """The first value of a header, empty if there is none."""
    return next((value for name, value in fields if name.lower() == wanted), b"")


def _describe(
    wire: WireRequest, request: ApiRequest | None, secrets: tuple[bytes, ...]
) -> tuple[tuple[str, str, str], str]:
    """What was asked (method, path, host) and by which program, fit for log and answer."""
    if request is not None:
        path, agent = request.path, request.user_agent
        if not is_clean(path, secrets, comes_again=False):
            path = printable(path, secrets)
        if not is_clean(agent, secrets):
            agent = printable(agent, secrets)
        return (request.method, path, request.host), agent[:MAX_AGENT]
    asked = (
        printable(wire.method, secrets)[:32],
        printable(wire.target.partition(b"?")[0], secrets),
        printable(wire.tunnel_host)[:256],
    )
    return asked, printable(header(wire.headers, b"user-agent"), secrets)[:MAX_AGENT]


def _shown_workspace(workspace: str | None) -> str | None:
    """The chosen workspace, fit for the log. As a rule it is a number, which has nothing to be taken out."""
    if workspace is None:
        return None
    return (workspace if workspace.isdecimal() and workspace.isascii() else printable(workspace))[:64]


def secrets_of(request: ApiRequest) -> tuple[bytes, ...]:
    """``find_secrets`` for a request that has one reading: it has one Authorization header and no other credential."""
    value = request.authorization
    found = () if value is None else _secrets_in(value)
    return found if request.management is None else (*found, *_secrets_in(request.management))


def find_secrets(wire: WireRequest) -> tuple[bytes, ...]:
    """Every string of a request that must not reach a record: credentials of all its headers, read or raw."""
    found: list[bytes] = []
    for name, value in wire.headers:
        if name.lower().strip() in (b"authorization", b"proxy-authorization", b"cookie", MANAGEMENT):
            found += _secrets_in(value)
    return tuple(found)


def _secrets_in(value: bytes) -> tuple[bytes, ...]:
    split = value.split()
    if len(split) == 2 and split[0] == b"Bearer" and len(split[1]) >= 8:
        return (split[1],)
    parts = [part for part in split if len(part) >= 8]
    with contextlib.suppress(Refused):
        parts.append(read_pair(value)[1])  # a token, or a client's secret
    return tuple(part for part in parts if len(part) >= 8)
