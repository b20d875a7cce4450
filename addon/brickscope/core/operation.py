"""Rules that name operations: what is allowed or denied of one operation of the catalogue, and under which constraints."""

from __future__ import annotations

from typing import Any, NamedTuple

from .constraint import Constraint
from .parameters import ABSENT, Parameters, look, others, refuse_doubles
from .request import ApiRequest


class OperationRule(NamedTuple):
    """One operation in a rule set. ``text``: the rule as the operator wrote it (``jobs.*`` stands for many).

    ``where``: all must be met. ``only``: the parameters that a call may have besides those in ``where``, None for any.
    """

    operation: str
    text: str
    where: tuple[Constraint, ...] = ()
    only: frozenset[str] | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the rule looks at parameters."""
        return bool(self.where) or self.only is not None


class Seen(NamedTuple):
    """What a rule made of a call: whether it is met, and what it looked at, for the log: parameters by name (None for
    one that the call lacks), and the ``names`` of all parameters if it has an ``only``."""

    met: bool
    params: dict[str, Any]
    names: frozenset[str] | None


def judge(rule: OperationRule, parameters: Parameters, *, denies: bool = False) -> Seen:
    """Hold the parameters of a call of the rule's operation against its constraints.

    ``denies``: a rule that denies is met by whatever a server could read as meeting it.
    Raises Refused where the parameters have no single reading.
    """
    for constraint in rule.where:
        refuse_doubles(parameters, constraint.place, constraint.keys)
    if denies:
        met = all([constraint.may_be_met(parameters) for constraint in rule.where])  # noqa: C419
    else:
        met = all([constraint.is_met(parameters) for constraint in rule.where])  # noqa: C419 - a list is faster
    if met and rule.only is not None:
        met = not others(parameters, rule.only | {constraint.keys[0] for constraint in rule.where})
    return Seen(met, _shown(rule, parameters), None if rule.only is None else parameters.names)


def needs_body(rule: OperationRule, request: ApiRequest) -> bool:
    """Whether a body could say something about a parameter that the rule looks at.

    A query parameter may stand in the body as well, and the API reads a body on GET and DELETE too. On other methods a
    path variable is bound by the path, so that an upload to a constrained path streams.
    """
    if not request.may_have_body:
        return False
    if request.method in ("GET", "HEAD", "DELETE") or rule.only is not None:
        return True
    return any([constraint.place != "path" for constraint in rule.where])  # noqa: C419 - a list is faster


def _shown(rule: OperationRule, parameters: Parameters) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for constraint in rule.where:
        value = look(parameters, constraint.place, constraint.keys)
        shown[constraint.name] = None if value is ABSENT else value
    return shown
