"""Rules that name operations: what is allowed or denied of one operation of the catalogue, and under which constraints."""

from functools import cached_property
from typing import Any, NamedTuple

from .constraint import Constraint
from .parameters import Look, Parameters, looks_of
from .request import ApiRequest
from .values import Values

MAX_RULES = 5
"""Rules whose conditions a denial says: they are in the answer and record of each denied call, however long the policy."""


class OperationRule(NamedTuple):
    """One operation in a rule set. ``text``: the rule as the operator wrote it (``jobs.*`` stands for many).

    ``where``: all must be met. ``only``: the parameters that a call may have besides those in ``where``, None for any.
    ``entry``: which entry of its list (``allow`` or ``deny``) it is of, -1 where it is of none.
    """

    operation: str
    text: str
    where: tuple[Constraint, ...] = ()
    only: frozenset[str] | None = None
    entry: int = -1

    @property
    def is_bound(self) -> bool:
        """Whether the rule looks at parameters."""
        return bool(self.where) or self.only is not None

    @property
    def conditions(self) -> str:
        """Its conditions in words (``where job_id is 7, with no other parameters``); empty for none."""
        parts = [f"where {' and '.join(each.text for each in self.where)}"] if self.where else []
        if self.only is not None:
            names = ", ".join(sorted(self.only))
            parts.append(f"with no other parameters than {names}" if names else "with no other parameters")
        return ", ".join(parts)


class OperationRules(tuple[OperationRule, ...]):
    """The rules of a rule set for one operation, those without constraints first."""

    @cached_property
    def looks(self) -> Look:
        """What they look at in a body."""
        return looks_of(constraint for rule in self for constraint in rule.where)

    @cached_property
    def conditions(self) -> str:
        """What a call has to meet one of, in words: made once, since a denied client may call again and again."""
        shown = "; or ".join([rule.conditions for rule in self[:MAX_RULES]])
        more = len(self) - MAX_RULES
        return f"{shown}; or as one of {more} rules more" if more > 0 else shown


class Seen(NamedTuple):
    """What a rule made of a call: whether it is met, and what it looked at, for the log.

    ``params``: parameters by name as the objects that they name, None for one that the call lacks. ``sent``: those of them
    that the call spells in another way. ``names``: of all parameters if the rule has an ``only``.
    """

    met: bool
    params: dict[str, Any]
    sent: dict[str, Any]
    names: frozenset[str] | None


def judge(rule: OperationRule, parameters: Parameters, *, denies: bool = False) -> Seen:
    """Hold the parameters of a call of the rule's operation against its constraints.

    ``denies``: a rule that denies is met by whatever a server could read as meeting it.
    Raises Refused where the parameters leave open what the API reads, or it would cost too much to compare them.
    """
    found = [(constraint, parameters.values(constraint)) for constraint in rule.where]
    hold = _may_hold if denies else holds
    met = all([hold(constraint, values, parameters) for constraint, values in found])  # noqa: C419 - a list is faster
    if met and rule.only is not None:
        met = not parameters.others(rule.only | {constraint.keys[0] for constraint in rule.where})
    params: dict[str, Any] = {}
    sent: dict[str, Any] = {}
    for constraint, values in found:
        plain = values.sent
        params[constraint.name] = shown = values.shown(constraint.test.kind)
        if shown is not plain and shown != plain:
            sent[constraint.name] = plain
        for name, others in parameters.given(constraint.others).items() if constraint.others else ():
            params.setdefault(name, others.sent)
    return Seen(met, params, sent, None if rule.only is None else parameters.names)


def holds(constraint: Constraint, values: Values, parameters: Parameters) -> bool:
    """Whether a call meets a constraint of a rule that allows: in itself, and nothing else says what it does not."""
    if not constraint.test.is_met(values):
        return False
    if constraint.stand_ins and parameters.has_any(constraint.stand_ins):
        return False
    return not (constraint.alternatives and values.is_absent and parameters.has_any(constraint.alternatives))


def _may_hold(constraint: Constraint, values: Values, parameters: Parameters) -> bool:
    """Whether some server could read a call as meeting a constraint of a rule that denies."""
    others = parameters.given(constraint.stand_ins).values() if constraint.stand_ins else ()
    # Where both are given, either may be read.
    replaced = any(values.is_absent or constraint.test.may_be_met(each) for each in others)
    below = constraint.below is not None and (
        not constraint.below or parameters.has_any(constraint.below, false_counts=False)
    )
    return constraint.test.may_be_met(values, replaced=replaced, below=below)


def needs_body(rule: OperationRule, request: ApiRequest) -> bool:
    """Whether a body could say something about a parameter that the rule looks at.

    A query parameter may stand in the body as well, and the API reads a body on GET and DELETE too. On other methods a
    path variable is bound by the path, unless the API has it in the body too: an upload to a constrained path streams.
    """
    if not request.may_have_body:
        return False
    if request.method in ("GET", "HEAD", "DELETE") or rule.only is not None:
        return True
    return any([each.place != "path" or each.twice or each.stand_ins or each.below for each in rule.where])  # noqa: C419 - a list is faster
