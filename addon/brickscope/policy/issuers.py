"""Issuers that the policy names: an account whose tokens count on workspaces, a host whose keys come as a file, a tenant of
Entra ID, which is two issuers."""

from collections.abc import Iterator, Mapping

from brickscope.core.entra import CLOUDS, RESOURCE, issuers_of
from brickscope.core.hostname import HostPatterns, host_of
from brickscope.core.key import KeySet, KeySetError, read_key_set
from brickscope.core.policy import Issuer

from .entry import Entry, Findings
from .problem import Position, nearest
from .value import GOOGLE


def compile_issuers(
    entries: Mapping[str, Entry], key_files: Mapping[str, bytes], findings: Findings
) -> dict[str, Issuer]:
    """Issuers by URL. ``key_files``: content by name of the ``*.jwks.json`` beside the policy."""
    found: dict[str, Issuer] = {}
    for entry in _distinct(entries, "issuer", findings):
        value = entry.value
        if value.keys_file is not None and value.keys_url is not None:
            message = "the keys are in a file or at a URL, not both"
            findings.refuse(entry, ("keys_url",), message, "delete one")
            continue
        if value.audience is None and value.issuer.startswith(GOOGLE):
            # Whoever has a Google account has tokens by Google for whatever he likes.
            message = "Google issues ID tokens to everybody, so they are accepted only with a given audience"
            hint = "add audience: host (https:// and the host of the call), or the one value that the tokens have in 'aud'"
            findings.refuse(entry, ("issuer",), message, hint)
            continue
        keys = None if value.keys_file is None else _read_file(entry, key_files, findings)
        hosts = HostPatterns(value.hosts or [host_of(value.issuer)])
        found[value.issuer] = Issuer(value.issuer, hosts, value.keys_url, keys, value.audience)
    return found


def compile_tenants(
    entries: Mapping[str, Entry], key_files: Mapping[str, bytes], findings: Findings
) -> dict[str, Issuer]:
    """The issuers of the tenants, by URL; arguments as those of ``compile_issuers``."""
    found: dict[str, Issuer] = {}
    for entry in _distinct(entries, "tenant", findings):
        value = entry.value
        keys = None if value.keys_file is None else _read_file(entry, key_files, findings)
        cloud = CLOUDS[value.cloud]
        hosts = HostPatterns(value.hosts or [f"*.{cloud.zone}"])
        for issuer, keys_url in issuers_of(cloud, value.tenant):
            found[issuer] = Issuer(issuer, hosts, keys_url, keys, RESOURCE, cloud.management)
    return found


def _distinct(entries: Mapping[str, Entry], key: str, findings: Findings) -> Iterator[Entry]:
    """The entries without errors of their own, of each issuer or tenant one."""
    places: dict[str, Position] = {}
    for entry in entries.values():
        if entry.value is None:
            continue
        place = entry.position(key)
        first = places.setdefault(getattr(entry.value, key), place)
        if first is place:
            yield entry
        else:
            findings.refuse(entry, (key,), f"the {key} is defined already in {first.file}:{first.line}")


def _read_file(entry: Entry, key_files: Mapping[str, bytes], findings: Findings) -> KeySet | None:
    name = entry.value.keys_file
    if name not in key_files:
        hint = nearest(name, key_files) or "put the file beside the policy file"
        findings.refuse(entry, ("keys_file",), f"there is no key file {name!r}", hint)
        return None
    try:
        return read_key_set(key_files[name])
    except KeySetError as error:
        findings.refuse(entry, ("keys_file",), f"the key file {name!r} can't be used: {error}")
        return None
