"""Whose OAuth token it is: the subject that a verified token's claims name."""

from .decision import Principal, Refused
from .directory import Directory
from .issuer import is_shared
from .jwt_token import GOOGLE_ACCESS, Claims, is_jwt
from .policy import EntraKey, Mode, Policy, Principals, Subject
from .reason import Reason

NOBODY = "the policy names no service principal or user, so no OAuth token is accepted"
"""Its fingerprint is no advice: the next token, in an hour, has another one."""


def find_principal(
    policy: Policy, token: bytes, fingerprint: str, host: str, now: float, directory: Directory | None
) -> tuple[Subject, Principal]:
    """The service principal or user of a token used on ``host`` that the policy does not name by its fingerprint, and its
    verified claims.

    Raises Refused with the reason, and NotYetKnown where the issuer's keys have to be fetched first.
    """
    if token.startswith(GOOGLE_ACCESS):
        raise Refused(
            Reason.UNKNOWN_PRINCIPAL,
            "an access token of Google does not identify its owner: use an ID token, or a service principal's OAuth",
        )
    if not is_jwt(token):
        raise Refused(Reason.UNKNOWN_TOKEN, f"the policy names no token with the fingerprint {fingerprint}")
    known = policy.principals
    anybody = known.service_principals or known.users or known.entra or policy.mode is Mode.MONITOR
    if directory is None or not anybody:
        # With nobody to find, verifying would only fetch keys; in monitor the log is to say who is there.
        raise Refused(Reason.UNKNOWN_PRINCIPAL, NOBODY)
    claims = directory.verify(policy, token, fingerprint, host, now)
    principal = Principal(claims.issuer, claims.client_id, claims.sub, claims.tenant, claims.object_id)
    try:
        return match_claims(known, principal), principal
    except Refused as refused:
        refused.principal = principal
        raise


def match_claims(known: Principals, claims: Principal | Claims) -> Subject:
    """The subject that verified claims name.

    A ``sub`` with an @ is a person's login name: the token acts for that user, whatever client it was issued to.
    Otherwise it is a service principal's own token, named by ``client_id``, or by ``sub`` where federation issued it.
    Raises Refused(UNKNOWN_PRINCIPAL, AMBIGUOUS_PRINCIPAL or WRONG_ISSUER).
    """
    found = {each.name: each for each in find_claimed(known, claims)}
    keys = _entra_keys(claims) if claims.tenant is not None else []
    is_user = not keys and claims.sub is not None and claims.sub in known.users
    if not keys and not is_user and claims.sub is not None and "@" in claims.sub:
        raise Refused(Reason.UNKNOWN_PRINCIPAL, f"the policy names no user {claims.sub!r}")
    if len(found) > 1:
        what = "object id and application id" if keys else "client_id and sub"
        raise Refused(Reason.AMBIGUOUS_PRINCIPAL, f"the token's {what} name two subjects of the policy")
    if not found:
        what = "user" if keys and keys[0].is_user else "service principal"
        which = f"with {keys[0]}" if keys else repr(claims.client_id or claims.sub)
        raise Refused(Reason.UNKNOWN_PRINCIPAL, f"the policy names no {what} {which}")
    if is_user and is_shared(known, claims.issuer or ""):
        raise Refused(
            Reason.WRONG_ISSUER,
            "the token was issued by an account, and accounts share a host: name it under issuers",
        )
    return next(iter(found.values()))


def find_claimed(known: Principals, claims: Principal | Claims) -> list[Subject]:
    """Everybody whom claims, verified or not, could name."""
    if claims.tenant is not None:
        return [known.entra[key] for key in _entra_keys(claims) if key in known.entra]
    sub, client_id, robots = claims.sub or "", claims.client_id or "", known.service_principals
    found = known.users.get(sub), robots.get(sub), robots.get(client_id)
    return [each for each in found if each is not None]


def _entra_keys(claims: Principal | Claims) -> list[EntraKey]:
    """Of a person by object id alone, since applications are anybody's; of an application's own token by object id,
    application id or both."""
    tenant, object_id, application_id = str(claims.tenant), claims.object_id, claims.client_id
    if claims.sub != object_id:
        return [EntraKey(tenant, object_id, None, is_user=True)]
    pairs = ((object_id, application_id), (object_id, None), (None, application_id))
    return [EntraKey(tenant, *pair, is_user=False) for pair in pairs]
