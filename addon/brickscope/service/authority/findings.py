"""What is wrong with an authority, or soon will be: said by the proxy when it starts, and by ``brickscope ca show``."""

import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from .certificate import SOON, AuthorityError, Chain
from .folder import CURRENT, AuthorityFolder

_GUIDE = "docs/upkeep.md, 'Replacing the CA'"


class Finding(NamedTuple):
    """``fatal``: no client would accept the proxy."""

    fatal: bool
    text: str


def findings(
    folder: AuthorityFolder,
    patterns: Sequence[str] = (),
    now: datetime | None = None,
    soon: timedelta = SOON,
) -> list[Finding]:
    """What is wrong with the authority in use. ``patterns``: the hosts under policy; ``soon``: how long before its end it
    is said to run out. Raises AuthorityError."""
    path = folder.path / CURRENT
    if not path.exists():
        return []
    chain = Chain.read(path)
    now = now or datetime.now(UTC)
    found = list(_life(path, chain, now, soon))
    if missing := [pattern for pattern in patterns if not chain.covers(pattern)]:
        text = (
            f"the CA may sign for {', '.join(chain.permitted or ())} only, not for {', '.join(missing)}: clients will "
            f"refuse those hosts. Make another with 'brickscope ca new --domain …' ({_GUIDE})"
        )
        found.append(Finding(False, text))
    for held in folder.held():
        status = held.path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if _exposed(mode, status.st_uid):
            text = f"the CA's key {held.path} may be read or written by others (mode {mode:04o}): chmod 600 {held.path}"
            found.append(Finding(False, text))
    return found


def _exposed(mode: int, owner: int) -> bool:
    """Whether others than the proxy's user may use a key. Its group may read one that belongs to another user: that is how
    a secret of Kubernetes (fsGroup) or a credential of systemd (an ACL, whose mask stands in the group's bits) is read."""
    return bool(mode & 0o037) or (bool(mode & 0o040) and owner == os.geteuid())


def refuse_or_warn(confdir: Path, patterns: Sequence[str], *, sole: bool = True) -> list[str]:
    """The warnings for a start. Raises AuthorityError if there is no sense in starting.

    ``sole``: every certificate comes from this authority; false where mitmproxy's option ``certs`` gives others.
    """
    try:
        found = findings(AuthorityFolder(confdir), patterns)
    except OSError as error:
        raise AuthorityError(f"the CA in {confdir} can't be read: {error.strerror}") from None
    for each in found:
        if each.fatal and sole:
            raise AuthorityError(each.text)
    return [each.text for each in found]


def _life(path: Path, chain: Chain, now: datetime, soon: timedelta) -> Iterator[Finding]:
    ends = f"{chain.ends:%Y-%m-%d}"
    if now >= chain.ends:
        text = (
            f"the CA in {path} expired on {ends}: every client refuses it. Make another with 'brickscope ca new', give "
            f"clients its certificate, then 'brickscope ca use' ({_GUIDE})"
        )
        yield Finding(True, text)
    elif now < chain.begins:
        yield Finding(True, f"the CA in {path} holds from {chain.begins:%Y-%m-%d} on: is the clock right?")
    elif chain.ends - now <= soon:
        text = (
            f"the CA in {path} expires on {ends}, in {chain.days_left(now)} days; no client will accept the proxy then. "
            f"Make the next one now: 'brickscope ca new' ({_GUIDE})"
        )
        yield Finding(False, text)
