"""Subjects: tokens, service principals, users and logins, each with its bindings and rule set."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from brickscope.core.policy import EntraKey, Grant, Issuer, Login, Mode, Principals, RuleSet, Subject

from .document import Path
from .entry import Entry, Findings
from .problem import Position, nearest

MAX_SUGGESTIONS = 50
"""How many rule sets that do not exist get a suggestion: each is compared with all names there are."""


_Bindings = tuple[
    Mode | None,
    frozenset[str] | None,
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] | None,
    float | None,
]


class SubjectCompiler:
    """Entries to subjects. ``names``: of all rule sets, also bad ones; None where a file could not be read."""

    def __init__(
        self, findings: Findings, rule_sets: Mapping[str, RuleSet], names: set[str] | None, now: float
    ) -> None:
        self._findings = findings
        self._rule_sets = rule_sets
        self._names = names
        self._now = now
        self._suggestions = MAX_SUGGESTIONS

    def tokens(self, entries: Mapping[str, Entry], revoked: Collection[str] = ()) -> dict[str, Subject]:
        """Subjects by fingerprint, less the ``revoked`` ones."""
        found: dict[str, Subject] = {}
        places: dict[str, Position] = {}
        for name, entry in entries.items():
            if entry.value is None:
                continue
            subject = self._subject("token", name, entry)
            self._check_marks(name, entry)
            written = entry.document.data["tokens"][name]
            for key, credential in (("fingerprint", None), ("placeholder", entry.value.credential)):
                listed = isinstance(written.get(key), list)
                for index, fingerprint in enumerate(getattr(entry.value, key) or ()):
                    path = (key, index) if listed else (key,)
                    is_free = self._is_free(places, fingerprint, entry, path, "fingerprint", "token")
                    if is_free and subject and fingerprint not in revoked:
                        found[fingerprint] = (
                            subject._replace(credential=credential) if credential else subject
                        )
        return found

    def _check_marks(self, name: str, entry: Entry) -> None:
        """A token has a fingerprint, or a placeholder with a credential, or all of them."""
        value = entry.value
        message = ""
        if value.fingerprint is None and value.placeholder is None and value.credential is None:
            message = "the key 'fingerprint' is missing"
        elif (value.placeholder is None) is not (value.credential is None):
            missing = "credential" if value.credential is None else "placeholder"
            message = f"the key {missing!r} is missing: a placeholder is exchanged for a credential"
        if message:
            self._findings.refuse(entry, (), message)
        elif value.placeholder is not None and value.mode == Mode.MONITOR:
            self._findings.warn(
                entry.document,
                entry.position("mode"),
                f"monitor mode sends no denied call of the placeholder of {name!r} go on, since nothing is exchanged for it",
            )

    def principals(
        self,
        service_principals: Mapping[str, Entry],
        users: Mapping[str, Entry],
        logins: Mapping[str, Entry],
        issuers: Mapping[str, Issuer],
        tenants: Mapping[str, Entry],
    ) -> Principals:
        """Those who are known by verified claims."""
        for name, entry in logins.items():
            if entry.value is not None:
                self._warn_expired("login", name, entry)
        entra: dict[EntraKey, Subject] = {}
        return Principals(
            self._by_claim("service principal", "client_id", service_principals, tenants, entra),
            self._by_claim("user", "sub", users, tenants, entra),
            tuple(
                Login(
                    name,
                    entry.value.client_id,
                    _grants(entry.value.grants),
                    *self._bindings(entry),
                    _token_fields(entry.value),
                )
                for name, entry in logins.items()
                if entry.value is not None
            ),
            issuers,
            entra,
        )

    def _by_claim(
        self,
        kind: str,
        claim: str,
        entries: Mapping[str, Entry],
        tenants: Mapping[str, Entry],
        entra: dict[EntraKey, Subject],
    ) -> dict[str, Subject]:
        """Subjects by a claim of Databricks' own tokens; those known by claims of Entra ID come into ``entra``."""
        found: dict[str, Subject] = {}
        places: dict[Any, Position] = {}
        for name, entry in entries.items():
            if entry.value is None:
                continue
            subject = self._subject(kind, name, entry)
            key: str | None = getattr(entry.value, claim)
            mark = self._entra_key(entry, claim, tenants, is_user=kind == "user")
            if key is not None and self._is_free(places, key, entry, (claim,), claim, kind) and subject:
                found[key] = subject
            of_tenant = (entry, ("tenant",), "id in the tenant", kind)
            if mark is not None and self._is_free(places, mark, *of_tenant) and subject:
                entra[mark] = subject
            if key is not None and entry.value.workspaces is None and kind == "user":
                # Anybody can make a workspace, and in it a user of this name.
                self._findings.warn(
                    entry.document,
                    entry.key_position(),
                    f"the user {name!r} is accepted on every host under policy, including workspaces that are not yours",
                    "name workspaces:",
                )
        return found

    def _entra_key(
        self, entry: Entry, claim: str, tenants: Mapping[str, Entry], *, is_user: bool
    ) -> EntraKey | None:
        """By what the tenant's tokens name somebody; None where they do not, or the entry does not say."""
        value = entry.value
        ids = ("object_id",) if is_user else ("object_id", "application_id")
        within = (*ids, "azure_resource")
        given = [name for name in within if getattr(value, name, None) is not None]
        problem = ""
        if value.tenant is None:
            if given:
                problem = f"{given[0]} is of somebody in a tenant; add tenant: and a name under tenants:"
            elif getattr(value, claim) is None:
                problem = (
                    f"the issuer of these tokens is missing; add {claim}:, or tenant: and {' or '.join(ids)}:"
                )
        elif not set(given) & set(ids):
            problem = f"the id in the tenant is missing; add {' or '.join(f'{name}:' for name in ids)}"
        if problem:
            message, _, hint = problem.partition("; ")
            self._findings.refuse(entry, (), message, hint)
            return None
        if value.tenant is None:
            return None
        if value.tenant not in tenants:
            hint = nearest(value.tenant, tenants) or "define it under tenants:"
            self._findings.refuse(entry, ("tenant",), f"there is no tenant {value.tenant!r}", hint)
            return None
        tenant = tenants[value.tenant].value
        if tenant is None:
            return None
        application_id = None if is_user else value.application_id
        return EntraKey(tenant.tenant, value.object_id, application_id, is_user)

    def _is_free(
        self, places: dict[Any, Position], key: Any, entry: Entry, path: Path, what: str, kind: str
    ) -> bool:
        """Note that a subject's mark, at a path of its entry, is taken; an error if it was."""
        place = entry.position(*path)
        first = places.setdefault(key, place)
        if first is not place:
            message = f"the {what} belongs to another {kind} already ({first.file}:{first.line})"
            self._findings.refuse(entry, path, message, f"one {kind}, one name")
        return first is place

    def _subject(self, kind: str, name: str, entry: Entry) -> Subject | None:
        """The subject of an entry; None if its rule set does not exist or has errors."""
        value = entry.value
        if self._names is not None and value.rule_set not in self._names:
            near = ""
            if self._suggestions:
                self._suggestions -= 1
                near = nearest(value.rule_set, self._names)
            message = f"there is no rule set {value.rule_set!r}"
            self._findings.refuse(entry, ("rule_set",), message, near or "define it under rule_sets:")
            return None
        self._warn_expired(kind, name, entry)
        if value.rule_set not in self._rule_sets:
            return None
        grants: Any = getattr(value, "grants", None)
        if kind == "service principal" and grants is None and value.client_id is not None:
            grants = [Grant.CLIENT_CREDENTIALS]
        rule_set = self._rule_sets[value.rule_set]
        resource: str | None = getattr(value, "azure_resource", None)
        return Subject(
            name,
            rule_set,
            *self._bindings(entry),
            grants=_grants(grants or ()),
            token_fields=_token_fields(value),
            azure_resource=None if resource is None else resource.lower(),
        )

    def _warn_expired(self, kind: str, name: str, entry: Entry) -> None:
        expires = entry.value.expires
        if expires is not None and expires <= self._now:
            self._findings.warn(
                entry.document,
                entry.position("expires"),
                f"the {kind} {name!r} has expired; it may do nothing",
            )

    @staticmethod
    def _bindings(entry: Entry) -> _Bindings:
        """Mode, workspaces, clients and expiry, in the order of ``Subject`` and ``Login``."""
        value = entry.value
        return (
            Mode(value.mode) if value.mode else None,
            frozenset(value.workspaces) if value.workspaces else None,
            tuple(map(ipaddress.ip_network, value.clients)) if value.clients else None,
            value.expires,
        )


def _token_fields(value: Any) -> dict[str, frozenset[str]]:
    given = getattr(value, "token_fields", None) or {}
    return {name: frozenset(values) for name, values in given.items()}


def _grants(words: Iterable[str]) -> frozenset[Grant]:
    return frozenset(map(Grant, words))
