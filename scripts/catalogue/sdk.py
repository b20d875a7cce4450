"""The machine part of the catalogue: operations read from the source of the official SDK, by its syntax tree.

Nothing of the SDK is run. What is read: ``databricks/sdk/__init__.py`` (which client attribute is which API class),
``databricks/sdk/mixins`` (subclasses that clients really have) and ``databricks/sdk/service/*.py``, whose generated
methods all end in ``self._api.do("METHOD", path, query=..., body=...)``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeGuard

from .annotation import Annotations, is_record
from .answers import Answers

_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MULTI = "_escape_multi_segment_path_parameter"
CLIENTS = {"WorkspaceClient": "", "AccountClient": "account."}


class SdkOperation(NamedTuple):
    """One call of one method. ``path``, ``query``, ``body``: names of parameters; ``required``: those without default.

    ``templates``: more than one where a resource name has several shapes; ``{name=projects/*/branches/*}`` as in
    google.api.http, from the docstring's "Format: projects/{project_id}/branches/{branch_id}". ``types``: of every
    parameter, as ``annotation.py`` writes them. ``answers``: fields of what it can answer with that may hold a credential
    or a link, as ``module.Record.field``.
    """

    name: str
    service: str
    method: str
    templates: tuple[str, ...]
    path: tuple[str, ...]
    query: tuple[str, ...]
    body: tuple[str, ...]
    required: tuple[str, ...]
    types: dict[str, str]
    answers: tuple[str, ...]


class ApiClass(NamedTuple):
    """A class of a service module."""

    module: str
    node: ast.ClassDef


class Source:
    """The parsed SDK. ``folder`` is that of the package ``databricks.sdk``."""

    def __init__(self, folder: Path) -> None:
        self.version = _version(folder / "version.py")
        self._classes: dict[str, dict[str, ast.ClassDef]] = {}
        self._imports: dict[str, dict[str, str]] = {}
        for file in sorted((folder / "service").glob("*.py")):
            tree = _parse(file)
            self._classes[file.stem] = {
                node.name: node for node in tree.body if isinstance(node, ast.ClassDef)
            }
            self._imports[file.stem] = dict(_imports(tree))
        self.annotations = Annotations(self._classes, self._imports)
        self._mixins = dict(_mixins(folder / "mixins"))
        self._clients = _parse(folder / "__init__.py")
        self.unresolved: list[str] = []
        self._answers = Answers(self._classes, self._imports)

    # -- names -------------------------------------------------------------------------------------------------

    def attributes(self) -> Iterator[tuple[str, ApiClass]]:
        """Every client attribute with its class: ``jobs``, ``settings.default_namespace``, ``account.users``."""
        for client in self._clients.body:
            if isinstance(client, ast.ClassDef) and client.name in CLIENTS:
                for attribute, call in _assigned_calls(client):
                    found = self._resolve(call)
                    if found is not None:
                        yield from self._nested(CLIENTS[client.name] + attribute, found)

    def _nested(self, name: str, found: ApiClass) -> Iterator[tuple[str, ApiClass]]:
        yield name, found
        for attribute, call in _assigned_calls(found.node):
            if isinstance(call.func, ast.Name) and call.func.id in self._classes[found.module]:
                node = self._classes[found.module][call.func.id]
                yield from self._nested(f"{name}.{attribute}", ApiClass(found.module, node))

    def _resolve(self, call: ast.Call) -> ApiClass | None:
        """The class that an attribute's value is made of: ``pkg_jobs.JobsAPI(...)``, ``JobsExt(...)``."""
        func = call.func
        if isinstance(func, ast.Name) and func.id == "_make_files_client":
            return ApiClass("files", self._classes["files"]["FilesAPI"])
        if isinstance(func, ast.Name):
            module, name = self._mixins.get(func.id, ("", ""))
        elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            module, name = func.value.id.removeprefix("pkg_"), func.attr
        else:
            return None
        node = self._classes.get(module, {}).get(name)
        return None if node is None else ApiClass(module, node)

    # -- operations --------------------------------------------------------------------------------------------

    def operations(self) -> list[SdkOperation]:
        """All operations, by name. Classes that hang off no client are named by themselves."""
        found: list[SdkOperation] = []
        seen: set[tuple[str, str]] = set()
        for attribute, each in self.attributes():
            seen.add((each.module, each.node.name))
            found += self._of_class(attribute, each)
        for module, classes in self._classes.items():
            for name, node in classes.items():
                if name.endswith("API") and (module, name) not in seen:
                    attribute = _SNAKE.sub("_", name.removesuffix("API")).lower()
                    found += self._of_class(attribute, ApiClass(module, node))
        return sorted(found)

    def _of_class(self, attribute: str, each: ApiClass) -> Iterator[SdkOperation]:
        for method in each.node.body:
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                calls = [call for call in ast.walk(method) if _is_do(call)]
                for call in calls[:1]:
                    operation = self._of_call(f"{attribute}.{method.name}", each.module, method, call)
                    if operation is not None:
                        yield operation

    def _of_call(
        self, name: str, module: str, method: ast.FunctionDef, call: ast.Call
    ) -> SdkOperation | None:
        verb = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if not isinstance(verb, str) or len(call.args) < 2:
            self.unresolved.append(name)
            return None
        pieces = list(_pieces(call.args[1]))
        template = "".join(text if kind == "text" else f"{{{text}{kind}}}" for kind, text in pieces)
        # `/fs/files{file_path}`: the value begins with a slash.
        template = re.sub(r"(?<!/)\{(\w+)\.\.\.\}", r"/{\1...}", template)
        doc = ast.get_docstring(method) or ""
        templates = [template]
        for kind, variable in pieces:
            if kind == "" and (shapes := _of_level(name, _shapes(doc, variable))):
                templates = [
                    each.replace(f"{{{variable}}}", f"{{{variable}={shape}}}")
                    for each in templates
                    for shape in shapes
                ]
        path = {
            variable: "text" if kind is None or is_record(kind) else kind
            for variable, value in _variables(call.args[1])
            for kind in [self._argument_type(module, method, value)]
        }
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        defaults = len(method.args.args) - len(method.args.defaults)
        required = {argument.arg for argument in method.args.args[1:defaults]} | {
            argument.arg
            for argument, default in zip(method.args.kwonlyargs, method.args.kw_defaults, strict=True)
            if default is None
        }
        query = self._keys(module, method, keywords.get("query"))
        body = self._keys(module, method, keywords.get("body"))
        wire = _wire_names(method)
        required = {wire.get(argument, argument) for argument in required}
        return SdkOperation(
            name,
            module,
            verb,
            tuple(templates),
            tuple(path),
            tuple(key for key in query if key not in path),
            tuple(key for key in body if key not in path),
            tuple(sorted(required & {*path, *query, *body})),
            {**query, **body, **path},
            self._answers.fields(module, method),
        )

    def _keys(self, module: str, method: ast.FunctionDef, value: ast.expr | None) -> dict[str, str]:
        """The keys of ``query`` or ``body`` with their types: those that the method sets, or those of the one object that
        it sends."""
        if not isinstance(value, ast.Name):
            return {}
        found: dict[str, str] = {}
        for node in ast.walk(method):
            if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                continue
            target = node.targets[0]
            if (
                isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Name)
                and target.value.id == value.id
                and isinstance(target.slice, ast.Constant)
            ):
                key = str(target.slice.value)
                found[key] = self._argument_type(module, method, node.value) or found.get(key, "text")
            elif isinstance(target, ast.Name) and target.id == value.id and isinstance(node.value, ast.Call):
                found |= self._sent(module, method, node.value)
        return found

    def _sent(self, module: str, method: ast.FunctionDef, call: ast.Call) -> dict[str, str]:
        """The JSON keys of ``argument.as_dict()``, with their types."""
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr == "as_dict":
            record = self._argument_type(module, method, func.value)
            if record is not None:
                return self.annotations.record(record)
        return {}

    def _argument_type(self, module: str, method: ast.FunctionDef, value: ast.expr) -> str | None:
        """The type of the argument that a value is made of, or of the field of it; None if it is made of no argument."""
        if isinstance(value, ast.Constant):
            return {int: "integer", bool: "boolean"}.get(type(value.value))
        arguments = {each.arg: each.annotation for each in [*method.args.args[1:], *method.args.kwonlyargs]}
        used = [each.id for each in ast.walk(value) if isinstance(each, ast.Name) and each.id in arguments]
        annotation = arguments[used[0]] if used else None
        if annotation is None:
            return None
        found = self.annotations.type_of(module, annotation)
        for each in ast.walk(value):
            if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and is_record(found):
                found = self.annotations.record(found).get(each.attr, found)
        return found


def _wire_names(method: ast.FunctionDef) -> dict[str, str]:
    """What an argument is called on the wire where that differs: ``cluster_id`` is ``clusterId`` for contexts."""
    arguments = {each.arg for each in [*method.args.args, *method.args.kwonlyargs]}
    found: dict[str, str] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            if isinstance(target.value, ast.Name) and target.value.id in ("query", "body"):
                used = {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)} & arguments
                if len(used) == 1 and isinstance(target.slice, ast.Constant):
                    found.setdefault(used.pop(), str(target.slice.value))
    return found


def _of_level(name: str, shapes: list[str]) -> list[str]:
    """The shapes of the client's own level. A record that both clients share documents both: ``accounts/*/groups/*`` is
    the account's, ``groups/*`` the workspace's; together they would make two operations one."""
    if len(shapes) < 2:
        return shapes
    account = name.startswith("account.")
    return [shape for shape in shapes if shape.startswith("accounts/") == account] or shapes


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _version(file: Path) -> str:
    for node in _parse(file).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    raise ValueError(f"{file} names no version")


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").rpartition(".")[2]
            for alias in node.names:
                yield alias.asname or alias.name, module if module != "service" else alias.name


def _mixins(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Subclass names with module and name of the API class below: ``JobsExt`` is ``jobs.JobsAPI``."""
    for file in sorted(folder.glob("*.py")):
        tree = _parse(file)
        aliases = dict(_imports(tree))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    if isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
                        yield node.name, (aliases.get(base.value.id, base.value.id), base.attr)
                    elif isinstance(base, ast.Name) and base.id in aliases:
                        yield node.name, (aliases[base.id], base.id)


def _assigned_calls(node: ast.ClassDef) -> Iterator[tuple[str, ast.Call]]:
    """``self._name = Call(...)`` of ``__init__``, as (name, call)."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            for each in ast.walk(method):
                if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call):
                    target = each.targets[0]
                    if isinstance(target, ast.Attribute) and target.attr.startswith("_"):
                        yield target.attr.lstrip("_"), each.value


def _is_do(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "do"
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr == "_api"
    )


def _variables(value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The variables of a path, each with the expression that gives its value."""
    for part in value.values if isinstance(value, ast.JoinedStr) else ():
        if isinstance(part, ast.FormattedValue):
            yield _variable(part.value)[1], part.value


def _pieces(value: ast.expr) -> Iterator[tuple[str, str]]:
    """The parts of a path: (``text``, text), (empty, name of a variable), (``...``, name of one of several segments)."""
    if isinstance(value, ast.Constant):
        yield "text", str(value.value)
    elif isinstance(value, ast.JoinedStr):
        for part in value.values:
            if isinstance(part, ast.Constant):
                yield "text", str(part.value)
            elif isinstance(part, ast.FormattedValue):
                yield _variable(part.value)


def _variable(value: ast.expr) -> tuple[str, str]:
    if isinstance(value, ast.Call):
        inner = value.args[0] if value.args else value.func
        name = _variable(inner)[1]
        multi = isinstance(value.func, ast.Name) and value.func.id == _MULTI
        return ("..." if multi else ""), name
    if isinstance(value, ast.Attribute):
        if value.attr == "value":
            return _variable(value.value)
        return "", value.attr
    return "", value.id if isinstance(value, ast.Name) else ast.unparse(value)


_PART = r"(?:\{[\w.-]+\}|[A-Za-z][\w.-]*)"
_SHAPE = re.compile(rf"(?<![\w/{{}}.])({_PART}(?:/{_PART})+)(?![\w/{{}}])")


def _shapes(doc: str, variable: str) -> list[str]:
    """The shapes of a resource name that the documentation of its parameter gives, with ``*`` for each variable."""
    found = re.search(rf":param {variable}: (.*?)(?=\n\s*:param |\n\s*:returns|\Z)", doc, re.DOTALL)
    shapes: dict[str, None] = {}
    for shape in _SHAPE.findall(" ".join(found[1].split()) if found else ""):
        if "{" in shape:
            shapes[re.sub(r"\{[^}]*\}", "*", shape.strip("."))] = None
    return list(shapes)
