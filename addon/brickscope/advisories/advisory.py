"""An advisory, the list of them that comes with this version, and which of them concern an installation.

The list is made by ``scripts/update-advisories`` from public databases. It never stops a start: it would stop all proxies of
a fleet on the day of an upgrade, and a proxy that is down is no safer than one that decides with a flaw known to its
operator. A flaw that opens the gate itself is dealt with by raising the oldest version that this one starts with.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict

KNOWN = Path(__file__).with_name("known.yaml")


class Advisory(BaseModel):
    """``affected``: version specifiers (PEP 440), each a range; ``fixed``: the first version without the flaw, if any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    aliases: tuple[str, ...]
    package: str
    affected: tuple[str, ...]
    fixed: str | None
    summary: str
    source: str
    published: str

    def concerns(self, version: str) -> bool:
        """Whether a version has the flaw. One that can't be read has it: better a warning too many."""
        try:
            parsed = Version(version)
        except InvalidVersion:
            return True
        return any(_within(parsed, each) for each in self.affected)


_COMPARE = {"<": operator.lt, "<=": operator.le, ">=": operator.ge, "==": operator.eq}


def _within(version: Version, specifiers: str) -> bool:
    """Plain order. ``SpecifierSet.contains`` takes 4.3.0rc1 for no part of ``<4.3.0``, though it has the flaw."""
    return all(_COMPARE[each.operator](version, Version(each.version)) for each in SpecifierSet(specifiers))


class Concern(NamedTuple):
    """An advisory that concerns an installed version."""

    advisory: Advisory
    version: str

    @property
    def remedy(self) -> str:
        """What to do."""
        fixed = self.advisory.fixed
        return (
            f"install {self.advisory.package}>={fixed}"
            if fixed
            else "no version without it is known; see the source"
        )

    def __str__(self) -> str:
        return (
            f"{self.advisory.package} {self.version} has a known flaw, {self.advisory.id} ({self.advisory.summary}): "
            f"{self.remedy}. {self.advisory.source}"
        )


class AdvisoryList(BaseModel):
    """The whole file. ``as_of``: the newest change in the databases that it was made from (a date)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: str
    advisories: tuple[Advisory, ...]

    def concerns(self, versions: Mapping[str, str]) -> list[Concern]:
        """Those that concern the versions given by package, newest first."""
        found = [
            Concern(each, versions[each.package])
            for each in self.advisories
            if each.package in versions and each.concerns(versions[each.package])
        ]
        return sorted(found, key=lambda each: each.advisory.published, reverse=True)


@cache
def known() -> AdvisoryList:
    """The list that comes with this version."""
    # In C where there is it: every start waits for this.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return AdvisoryList.model_validate(yaml.load(KNOWN.read_text(encoding="utf-8"), loader))  # noqa: S506 - a safe one
