"""HTTP stacks, by ``stack.yaml``: what each client reads to find its proxy and its CAs."""

from typing import Any, NamedTuple

from brickscope.shipped import table


class Stack(NamedTuple):
    """One way to speak HTTPS. Of several variables, the first that is set counts.

    ``name``: what ``--client`` takes. ``serves``: clients that are built on it; ``--client`` takes them too.
    ``packages``: Python distributions by which it is found. ``proxy``, ``no_proxy``, ``ca``: variables. ``switch``: a
    variable that has to have a value before the proxy's variables count. ``roots``: what is trusted without a variable.
    For people, the table has a title, what a program or its configuration can say instead, and sources as well.
    """

    name: str
    proxy: tuple[str, ...]
    no_proxy: tuple[str, ...]
    ca: tuple[str, ...]
    roots: str
    serves: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    switch: tuple[str, ...] = ()


def _read(written: dict[str, Any]) -> Stack:
    given = {name: each for name, each in written.items() if name in Stack._fields}
    values: Any = {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
    return Stack(**values)


STACKS: tuple[Stack, ...] = tuple(map(_read, table(__package__, "stack.yaml")))


def find_stack(name: str) -> Stack | None:
    """The stack of this name, or the first one that the client of this name is built on."""
    return next((stack for stack in STACKS if name == stack.name), None) or next(
        (stack for stack in STACKS if name in stack.serves), None
    )


def names() -> list[str]:
    """What ``find_stack`` knows."""
    return sorted({name for stack in STACKS for name in (stack.name, *stack.serves)})
