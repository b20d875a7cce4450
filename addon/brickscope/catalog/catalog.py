"""The catalogue as the program uses it: operations by name, and the table that finds the operation of a call."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson

from brickscope.core.path import APP
from brickscope.core.rule import WEBSOCKET, Rule, RuleTable
from brickscope.core.template import Literal, Template, parse_catalogue_template

from .record import NONE, Facts, Holder, facts

HTTPS = "https://"
CLASSES = ("read", "write", "execute", "grant", "secret")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_TELLING = re.compile(
    r"credentials?|tokens?|secrets?|passwords?|presigned|signed|sas|sig|signature|ur[li]s?|links?",
    re.IGNORECASE,
)


class Operation(NamedTuple):
    """One operation of the API.

    ``name``: as the official SDK has it. ``names``: further names of the same operation. ``calls``: ``METHOD /template``,
    the SDK's own first. ``messages``: the methods of JSON-RPC in a body that are this operation; a call of such a path
    is of several operations. ``path``, ``query``, ``body``: names of parameters by where the call carries them;
    ``required`` among them; ``types`` of those that are not ``text``; ``encoded``: path variables that may hold an encoded
    separator as data; ``content``: whether the body is a file's content; ``facts``: how they name objects. ``means``: words
    that rules may use in place of the parameters that say the same here (``max_tokens``). ``object``: those that say what
    is acted on. ``scope``: the native API scope, as far as it is known. ``kind``: one of CLASSES. ``risk``: how it can
    widen the caller's power, empty if it does not.
    """

    name: str
    calls: tuple[str, ...]
    kind: str
    path: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    object: Mapping[str, str] = {}
    scope: str = ""
    risk: str = ""
    source: str = ""
    names: tuple[str, ...] = ()
    types: Mapping[str, str] = {}
    encoded: tuple[str, ...] = ()
    facts: Facts = NONE
    means: Mapping[str, tuple[str, ...]] = {}
    messages: tuple[str, ...] = ()
    content: bool = False

    @property
    def service(self) -> str:
        """What stands before the last dot: ``jobs``, ``settings.default_namespace``, ``account.users``."""
        return self.name.rpartition(".")[0]

    @property
    def is_websocket(self) -> bool:
        """Whether it opens a websocket, in which nothing is judged. Only a rule that writes its name out allows it."""
        return self.calls[0].startswith(f"{WEBSOCKET} ")

    def way(self, parameter: str) -> str:
        """The parameter that a word means here, where that is one; what is no such word means itself."""
        members = self.means.get(parameter, ())
        return members[0] if len(members) == 1 else parameter

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The way to a parameter, cut at its dots; below an object of texts the rest is one key (``spark_conf.spark.x``)."""
        keys = tuple(self.way(name).split("."))
        for depth in range(1, len(keys) - 1):
            if self.type_of(keys[:depth]) in ("{text}", "{uc_name}"):
                return (*keys[:depth], ".".join(keys[depth:]))
        return keys

    def place(self, parameter: str) -> str | None:
        """Where the call carries a parameter: ``path``, ``query`` or ``body``; None if it has none of that name."""
        name = self.way(parameter)
        name = name if name == parameter else name.partition(".")[0]
        for place, names in (("path", self.path), ("query", self.query), ("body", self.body)):
            if name in names:
                return place
        return None

    def type_of(self, keys: tuple[str, ...]) -> str | None:
        """The type of a parameter, or of what lies below it: ``("tasks", "notebook_task", "notebook_path")``; None if the
        API has none. ``record.py`` says how types are written."""
        return self.holder.type_of(
            (*self.way(keys[0]).split("."), *keys[1:]) if keys[0] in self.means else keys
        )

    @property
    def holder(self) -> Holder:
        """Its parameters, and how they name objects."""
        parameters = (*self.path, *self.query, *self.body)
        types = {name: self.types.get(name, "text") for name in parameters}
        return Holder(types, self.facts)


class Catalog:
    """All operations. ``version``: of the SDK that the machine part was read from."""

    def __init__(self, version: str, operations: Mapping[str, Operation]) -> None:
        self.version = version
        self.operations = operations
        self._canonical = {
            name: operation.name
            for operation in operations.values()
            for name in (operation.name, *operation.names)
        }

    def find(self, name: str) -> Operation | None:
        """The operation of a name, also of one that is another name for it."""
        canonical = self._canonical.get(name)
        return None if canonical is None else self.operations[canonical]

    def named(self, pattern: str) -> list[Operation]:
        """The operations of a name, or of a service: ``jobs.run_now``, ``jobs.*`` (nothing below ``jobs.x``)."""
        if not pattern.endswith(".*"):
            found = self.find(pattern)
            return [] if found is None else [found]
        service = pattern[:-2]
        names = [name for name in self._canonical if name.rpartition(".")[0] == service]
        return [self.operations[name] for name in dict.fromkeys(self._canonical[name] for name in names)]

    @property
    def names(self) -> list[str]:
        """Every name there is."""
        return list(self._canonical)

    @property
    def services(self) -> list[str]:
        """Every service."""
        return sorted({name.rpartition(".")[0] for name in self._canonical})

    def table(self) -> RuleTable:
        """Finds the operation of a call; the ``text`` of what it finds is the operation's name."""
        methods: dict[str, dict[str, str]] = {}
        for operation in self.operations.values():
            for call in operation.calls if operation.messages else ():
                methods.setdefault(call, {}).update(dict.fromkeys(operation.messages, operation.name))
        rules = []
        for operation in self.operations.values():
            if not operation.messages:
                rules += call_rules(operation)
            elif operation.kind == "execute":  # the one that can do most stands for all of them
                rules += [
                    rule._replace(messages=tuple(methods[call].items()))
                    for call, rule in zip(operation.calls, call_rules(operation), strict=True)
                ]
        table = RuleTable(rules)
        # The web interface's mirror of every API takes bearers too (facts 4).
        table.mirror("api", "ajax-api")
        table.answer_heads()
        return table


def call_rules(operation: Operation) -> list[Rule]:
    """The calls of an operation, as a table takes them."""
    parts = [call.partition(" ") for call in operation.calls]
    encoded = frozenset(operation.encoded)
    return [
        Rule(method, call_template(path), operation.name, encoded, content=operation.content)
        for method, _, path in parts
    ]


def call_template(path: str) -> Template:
    """The template of a call. ``https://{app}/mcp`` is on an app's host, which is then a part of it (``path.on_host``)."""
    if not path.startswith(HTTPS):
        return parse_catalogue_template(path)
    return Template((Literal(APP), *parse_catalogue_template(f"/{path.removeprefix(HTTPS)}").segments))


@cache
def load_catalog() -> Catalog:
    """The catalogue of this version. Raises OSError and ValueError if the file is damaged."""
    first, *lines = files(__package__).joinpath("operations.jsonl").read_bytes().splitlines()
    return Catalog(
        str(orjson.loads(first)["databricks_sdk"]),
        {operation.name: operation for operation in (_operation(orjson.loads(line)) for line in lines)},
    )


@cache
def operation_table() -> RuleTable:
    """The table of ``load_catalog``, made once."""
    return load_catalog().table()


_FIELDS = frozenset(Operation._fields)


def _operation(entry: dict[str, Any]) -> Operation:
    values: dict[str, Any] = {
        name: tuple(each) if type(each) is list else each for name, each in entry.items() if name in _FIELDS
    }
    values["means"] = {word: tuple(members) for word, members in entry.get("means", {}).items()}
    return Operation(**values, kind=entry["class"], facts=facts(entry))


def telling(name: str) -> bool:
    """Whether a name of a field, of an operation or in a path has a word that says that a credential may be meant, or a link
    that is one: ``external_link``, ``bearerToken``, ``create-download-url``."""
    return any(map(_TELLING.fullmatch, _WORD.findall(name)))
