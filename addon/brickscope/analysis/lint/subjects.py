"""Subjects: when they end, what they are bound to, in which mode, how they get their tokens (BS501 to BS511)."""

from collections.abc import Iterator

from brickscope.core.policy import Grant, Login, Mode, Subject
from brickscope.policy.problem import Position

from ..check.escalation import find_holdings
from ..check.finding import Findings, Found, classed
from ..check.survey import RuleSetView, Survey
from ..judge import Known
from ..shown import moment

BINDINGS = ("workspaces", "clients", "expires")
PERSONAL = frozenset({Grant.BROWSER_LOGIN, Grant.REFRESH})
"""Grants that end in a person's token."""
REAL = (
    "make_token",
    "read_secret",
    "vend_storage",
    "vend_cloud_role",
    "read_share_credential",
    "make_database_credential",
    "submit_code",
)
"""The powers (powers.yaml) by which a credential comes back, or is read by code that comes with the call."""


def expired_subject(survey: Survey) -> Findings:
    """BS501: subjects whose end is past."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and expires <= survey.now:
            text = f"the {each.kind} {each.name} has expired, at {moment(expires)}"
            yield survey.about(each.name, text, "expires")


def expiring_subject(survey: Survey) -> Findings:
    """BS502: subjects whose end is near."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and survey.now < expires <= survey.soon:
            yield survey.about(
                each.name, f"the {each.kind} {each.name} expires at {moment(expires)}", "expires"
            )


def fewer_bindings(survey: Survey) -> Findings:
    """BS503: subjects that lack a binding of most with their rule set, or have none where most of their kind have one."""
    groups: dict[tuple[str, str], list[Known]] = {}
    kinds: dict[str, list[Known]] = {}
    for each in survey.people.values():
        if isinstance(each.subject, Subject):
            groups.setdefault((each.kind, each.subject.rule_set.name), []).append(each)
            kinds.setdefault(each.kind, []).append(each)
    missing: dict[str, dict[str, str]] = {}
    for (_, rule_set), peers in groups.items():
        having = f"with the rule set {rule_set}"
        for binding in BINDINGS:
            words = f"the other one {having} has it", f"others {having} have it"
            for name, said in _lacking(peers, (binding,), *words):
                missing.setdefault(name, {})[binding] = said
    for kind, peers in kinds.items():
        words = f"the other {kind} has one", f"other {kind}s have one"
        for name, said in _lacking(peers, BINDINGS, *words):
            missing.setdefault(name, {"any binding": said})
    for name, lacks in missing.items():
        text = ", ".join(f"{binding} ({said})" for binding, said in lacks.items())
        yield survey.about(name, f"the {survey.people[name].kind} {name} lacks {text}")


def _lacking(peers: list[Known], bindings: tuple[str, ...], one: str, many: str) -> Iterator[tuple[str, str]]:
    """Who has none of these bindings where most of the others have, and in words how many."""
    bare = [peer for peer in peers if all(getattr(peer.subject, each) is None for each in bindings)]
    bound, others = len(peers) - len(bare), len(peers) - 1
    if bound * 2 > others:  # one that is not itself bound is not among them
        said = one if others == 1 else f"{bound} of {others} {many}"
        yield from ((peer.name, said) for peer in bare)


def monitored_proxy(survey: Survey) -> Findings:
    """BS505: the mode of the whole proxy."""
    if survey.policy.mode is Mode.MONITOR:
        text = "the whole proxy is in monitor mode; what the rules deny is sent anyway"
        yield Found(survey.written.mode or Position("policy"), text, subjects=tuple(survey.people))


def monitored_subject(survey: Survey) -> Findings:
    """BS506: subjects in monitor mode."""
    for each in survey.people.values():
        if each.subject.mode is Mode.MONITOR:
            yield survey.about(each.name, f"the {each.kind} {each.name} is in monitor mode", "mode")


def needless_grant(survey: Survey) -> Findings:
    """BS507: service principals with a grant that leads nowhere, or two where one will do."""
    principals = survey.policy.principals
    for subject in principals.service_principals.values():
        whys = list(_needless(subject, users=bool(principals.users)))
        if whys:
            text = f"the service principal {subject.name} may use {'; '.join(whys)}"
            yield survey.about(subject.name, text, "grants")


def _needless(subject: Subject, *, users: bool) -> Iterator[str]:
    grants = subject.grants
    if Grant.BROWSER_LOGIN in grants and not users:
        yield "browser_login, which returns a person's token, but the policy names no user"
    if Grant.REFRESH in grants and Grant.BROWSER_LOGIN not in grants:
        yield "refresh, without the browser_login that a refresh token comes from"
    if {Grant.CLIENT_CREDENTIALS, Grant.FEDERATION} <= grants:
        yield "both client_credentials and federation, of which one is enough"


def login_without_users(survey: Survey) -> Findings:
    """BS508: logins whose tokens would be nobody's that the policy names."""
    principals = survey.policy.principals
    for login in principals.logins if not principals.users else ():
        personal = login.grants <= PERSONAL
        if personal or not principals.service_principals:
            whom = "user" if personal else "user or service principal"
            text = f"the login {login.name} gives tokens to people, but the policy names no {whom}"
            yield survey.about(login.name, text)


def unbound_user(survey: Survey) -> Findings:
    """BS509: users without workspaces."""
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} is accepted on every host under policy, including workspaces that are not yours"
            yield survey.about(each.name, text)


def users_without_login(survey: Survey) -> Findings:
    """BS510: users where no grant of anybody lets a person in; about all of them together."""
    principals = survey.policy.principals
    everybody: list[Login | Subject] = [*principals.logins, *principals.service_principals.values()]
    if principals.users and not any(each.grants & (PERSONAL | {Grant.FEDERATION}) for each in everybody):
        names = tuple(user.name for user in principals.users.values())
        text = f"the policy names users ({', '.join(names[:4])}) but no login through which they get a token"
        yield Found(survey.place(names[0]), text, subjects=names)


def exposed_credential(view: RuleSetView) -> Findings:
    """BS511: the subjects of a rule set that hold a placeholder, where the rules allow a call that gives more."""
    tokens = view.survey.policy.tokens.values()
    held = sorted({each.name for each in tokens if each.credential and each.rule_set.name == view.name})
    if not held:
        return
    holdings = find_holdings(view)
    found = [each for power in REAL for each in holdings.get(power, ())]
    if found:
        first = min(found, key=lambda each: each.order)
        operations = {each.way.operation.name: each.proof for each in found}
        text = f"a real credential can be obtained through a placeholder by {classed(sorted(operations))}"
        yield Found.of(first.way.written, text, operations=operations, proofs=[first.proof])._replace(
            subjects=tuple(held)
        )
