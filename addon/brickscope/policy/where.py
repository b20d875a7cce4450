"""``where`` and ``only``: constraints of one operation, from what is written to what is checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from brickscope.catalog.catalog import Operation, call_rules, operation_table
from brickscope.catalog.record import load_records
from brickscope.catalog.siblings import types_above
from brickscope.core.constraint import Constraint, Test, ancestors
from brickscope.core.hostname import is_app, is_hostname
from brickscope.core.kind import KINDS, Canonical, in_path
from brickscope.core.template import Rest, Segment, Template, Variable

from .criterion import Wrong, in_words, kind_of, parse_test
from .problem import nearest

Fail = Callable[[str, str, tuple[str | int, ...]], None]
"""Takes a message, a hint, and the way to what is wrong within the entry."""


def parse_constraint(
    operation: Operation, name: str, written: Any, fail: Fail, *, denies: bool = False
) -> Constraint | None:
    """The constraint on a parameter (``job_id``, ``settings.name``); None where something is wrong with it.

    ``denies``: of a rule that denies, which compares in the wider forms of its kind.
    """
    within = ("where", name)
    try:
        keys, place = _way(operation, name)
        if place == "path":
            _refuse_address(operation, keys[0], written)
        kind, many = kind_of(operation.type_of(keys))
        if len(keys) > 1 and operation.type_of(keys[:-1]) == "{text}":
            kind = KINDS["map_text"]
        test = parse_test(name, written, in_path(kind) if place == "path" else kind, place, denies)
        if keys == ("app",) and not all(
            is_hostname(each) and is_app(each) for each in map(str, test.one_of or ())
        ):
            raise Wrong("an app is named by its host", "NAME-ID.CLOUD.databricksapps.com, in small letters")
    except Wrong as error:
        fail(error.message, error.hint, (*within, *error.way))
        return None
    if place == "path":
        refuse: Callable[[str, str], None] = lambda message, hint: fail(message, hint, within)  # noqa: E731
        _refuse_others(operation, keys[0], test, refuse)
        _refuse_misfits(operation, keys[0], test, refuse)
    # The official SDK writes an object in a query as `filter_by.statuses=`.
    way = (".".join(keys),) if place == "query" else keys
    below = None
    if denies:
        below = [] if test.kind.covers else operation.holder.below_of(keys)
        every = operation.holder.every_of(keys)
        test = _with_all_below(test) if test.kind.covers else test
        test = test._replace(every=test.kind.every.union(every), ancestors=_ancestors(test))
    return Constraint(
        name,
        place,
        way,
        test,
        f"{name} {in_words(written)}",
        many and place == "query",
        frozenset(operation.holder.others_of("stand_ins", keys)),
        frozenset(operation.holder.others_of("alternatives", keys)),
        None if below is None else tuple(below),
        frozenset(
            depth
            for depth in range(1, len(keys) + 1)
            if place == "body" and (operation.type_of(keys[:depth]) or "").startswith("{")
        ),
        place == "path" and keys[0] in operation.body,
    )


def _way(operation: Operation, name: str) -> tuple[tuple[str, ...], str]:
    """The way to a parameter, and whether it is in path, query or body."""
    keys = operation.keys_of(name)
    place = operation.place(keys[0])
    if place is None:
        first, known = (
            name.partition(".")[0],
            [*operation.means, *operation.path, *operation.query, *operation.body],
        )
        hint = nearest(first, known) or f"it has {', '.join(known[:12])}" if known else "it has none"
        raise Wrong(f"{operation.name} has no parameter {first!r}", hint)
    if len(keys) > 1 and (place == "path" or "" in keys):
        raise Wrong(f"{keys[0]!r} is not an object in the body, so nothing is below it", f"write {keys[0]}")
    for depth in range(1, len(keys)):
        kind = operation.type_of(keys[:depth])
        if kind is not None and operation.type_of(keys[: depth + 1]) is None:
            holder = load_records().get(kind.strip("[]"))
            hint = "" if holder is None else nearest(keys[depth], holder.types)
            raise Wrong(f"{operation.name} has no parameter {'.'.join(keys[: depth + 1])!r}", hint)
    return keys, place


def _refuse_address(operation: Operation, name: str, written: Any) -> None:
    """A whole address, where a variable of it belongs: no call has it there."""
    tests = list(written.values()) if isinstance(written, Mapping) else [written]
    texts = [str(text) for test in tests for text in (test if isinstance(test, list) else [test])]
    for rule in call_rules(operation):
        head = str(rule.template).partition("{")[0]
        behind = [text.partition(head)[2] for text in texts if head in text and len(head) > 1]
        if behind:
            raise Wrong(f"{name} is what stands behind {head}", f"write {behind[0]}" if behind[0] else "")


def spelled_out(
    operation: Operation, where: Mapping[str, Any], *, denies: bool = False
) -> Iterator[dict[str, Any]]:
    """What a ``where`` says of an operation in which a word stands for several of its parameters: the ``where`` of each rule
    that it makes. To allow, one of them is given and all that are given meet the test; to deny, one that meets it is enough.

    A word stands for its own parameter alone where another that it means is named as well.
    """
    choices = [
        list(_choices(operation, name, test, denies))
        if len(operation.means.get(name, ())) > 1
        and where.keys().isdisjoint({*operation.means[name]} - {name})
        else [{name: test}]
        for name, test in where.items()
    ]
    for choice in product(*choices):
        yield {name: test for each in choice for name, test in each.items()}


def twins(operation: Operation, where: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is said of parameters of another part, where given: ``driver_node_type_id`` beside ``node_type_id``."""
    for name, test in where.items():
        keys = operation.keys_of(name)
        written = dict(test) if isinstance(test, Mapping) else {"one_of": test}
        for other in operation.holder.others_of("stand_ins", keys):
            ends = other[-1].endswith(f"_{keys[-1]}") or keys[-1].endswith(f"_{other[-1]}")
            if ends and operation.type_of(other) == operation.type_of(keys) and ".".join(other) not in where:
                yield ".".join(other), {**written, "optional": True}


def _choices(operation: Operation, word: str, test: Any, denies: bool) -> Iterator[dict[str, Any]]:
    members = operation.means[word]
    written = dict(test) if isinstance(test, Mapping) else {"one_of": test}
    optional = written.pop("optional", False) is True
    if denies:
        yield from ({name: written} for name in members if not written.get("absent"))
        if optional or written.get("absent"):
            yield {name: {"absent": True} for name in members}
        return
    others = written if written.get("absent") else {**written, "optional": True}
    if optional or written.get("absent"):
        yield dict.fromkeys(members, others)
        return
    always = [name for name in members if name in operation.path]
    for given in always or members:
        yield {name: written if name == given or name in always else others for name in members}


def _with_all_below(test: Test) -> Test:
    """A test of what acts on all below it, be it in a call or a rule: a deny on ``config`` is one on ``config.x``."""
    between, shapes = test.kind.separator, test.pattern or ()
    if test.one_of is not None:
        named = {str(each).removesuffix(between) for each in test.one_of}
        return test._replace(one_of=None, prefix=tuple([f"{each}{between}" for each in sorted(named)]))
    further = tuple([Template((*each.segments, Rest("below", None))) for each in shapes])
    return test._replace(pattern=(*shapes, *further) or None, rooted=test.rooted * (2 if further else 1))


def _ancestors(test: Test) -> frozenset[Canonical]:
    """What lies above all that a test names, for operations that act on all below their object."""
    return ancestors([*map(str, test.one_of or ()), *(test.prefix or ())], test.kind.separator or "/")


def with_types_above(constraints: Sequence[Constraint]) -> list[Constraint]:
    """The constraints of a rule that denies. Beside a name that acts on all below it, a type of object stands for the types
    above it as well: a grant on a schema reaches its tables."""
    below = next((each.below for each in constraints if each.below is not None), None)
    return [each if below is None else _with_types_above(each, below) for each in constraints]


def _with_types_above(constraint: Constraint, below: tuple[tuple[str, ...], ...]) -> Constraint:
    test = constraint.test
    above = types_above(constraint.keys[-1], frozenset(map(str, test.one_of or ())))
    return (
        constraint._replace(test=test._replace(ancestors=test.ancestors | above), below=below)
        if above
        else constraint
    )


def unlimited(
    operation: Operation, where: Mapping[str, Any], constraints: Sequence[Constraint]
) -> tuple[Constraint, ...]:
    """The constraints of one rule; what stands in for their parameters is left out where ``where`` limits that as well."""
    limited = [tuple(each.split(".")) for name in where for each in operation.means.get(name, ())]
    limited += [
        tuple(constraint.keys[0].split(".")) if constraint.place == "query" else constraint.keys
        for constraint in constraints
    ]

    def left(names: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
        return frozenset(name for name in names if not any(each[: len(name)] == name for each in limited))

    return tuple(
        each._replace(stand_ins=left(each.stand_ins), alternatives=left(each.alternatives))
        for each in constraints
    )


def _refuse_others(operation: Operation, name: str, test: Test, fail: Callable[[str, str], None]) -> None:
    """A value that makes the call another operation's: `permissions.set` of `jobs` is `jobs.set_permissions`."""
    for value in test.one_of or ():
        owners = set()
        for rule in call_rules(operation):
            parts = rule.template.segments
            if [each.name for each in parts].count(name) != 1 or "/" in str(value):
                continue
            path = [str(value) if each.name == name else getattr(each, "text", "x") for each in parts]
            owner = operation_table().match(rule.method, path)
            owners.add(
                None if owner is None else operation.name if operation.name in owner.names else owner.text
            )
        if owners and operation.name not in owners and None not in owners:
            fail(
                f"{operation.name} never has {name} {value!r}: that call is {', '.join(sorted(map(str, owners)))}",
                f"write {min(map(str, owners))}",
            )


def _refuse_misfits(operation: Operation, name: str, test: Test, fail: Callable[[str, str], None]) -> None:
    """A value that no call has: `main`, where it is `projects/*/branches/*`."""
    shapes = [
        [part for part in rule.template.segments if part.name == name] for rule in call_rules(operation)
    ]
    for value in [each.removeprefix("/") for each in (*map(str, test.one_of or ()), *(test.prefix or ()))]:
        parts = value.casefold().split("/")
        if not any(_fits_shape(parts, shape, begins=test.prefix is not None) for shape in shapes):
            form = "/".join(getattr(part, "text", "*") for part in shapes[0])
            fail(f"{operation.name} never has {name} {value!r}", f"it has the form {form}")


def _fits_shape(parts: Sequence[str], shape: Sequence[Segment], *, begins: bool) -> bool:
    """Whether these can be the parts of a value, or (``begins``) of its beginning, that segments of a path are."""
    if any(isinstance(each, Rest) for each in shape) or (len(shape) == 1 and isinstance(shape[0], Variable)):
        return True
    if len(parts) > len(shape) or (len(parts) < len(shape) and not begins):
        return False
    fixed = [getattr(each, "text", part).casefold() for part, each in zip(parts, shape, strict=False)]
    return fixed[:-1] == [*parts[:-1]] and (fixed[-1].startswith if begins else fixed[-1].__eq__)(parts[-1])
