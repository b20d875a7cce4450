"""Types read from annotations, and the rows laid over them, on sources and files made for the purpose."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalogue import build as build_module
from catalogue import update
from catalogue.annotation import Annotations
from catalogue.build import build
from catalogue.kinds import Kinds
from catalogue.sdk import Source

SOURCE = """
class Loud(Enum):
    A = "A_1"
    B = "B"

class Quiet(Enum):
    A = "a_1"

class Odd(Enum):
    A = "GPU_1x"
    B = "a-b"

class Node:
    children: Optional[List[Node]] = None
    by_name: Optional[Dict[str, Node]] = None
    class_: Optional[str] = None
    only_answered: Optional[int] = None

    def as_dict(self) -> dict:
        body = {}
        if self.children:
            body["children"] = [v.as_dict() for v in self.children]
        if self.by_name:
            body["by_name"] = {k: v.as_dict() for k, v in self.by_name.items()}
        if self.class_ is not None:
            body["class"] = self.class_
        return body
"""


@pytest.fixture(scope="module")
def annotations() -> Annotations:
    classes = {node.name: node for node in ast.parse(SOURCE).body if isinstance(node, ast.ClassDef)}
    return Annotations(
        {"trees": classes, "other": {}}, {"trees": {}, "other": {"trees": "trees", "Node": "trees"}}
    )


@pytest.mark.parametrize(
    ("module", "annotation", "expected"),
    [
        ("trees", "str", "text"),
        ("trees", "Optional[int]", "integer"),
        ("trees", "float", "number"),
        ("trees", "Optional[bool]", "boolean"),
        ("trees", "List[str]", "[text]"),
        ("trees", "Optional[List[List[str]]]", "[[text]]"),
        ("trees", "Dict[str, int]", "{integer}"),
        ("trees", "Optional[Dict[str, Any]]", "{any}"),
        ("trees", "dict", "any"),
        ("trees", "Timestamp", "timestamp"),
        ("trees", "Optional[Duration]", "duration"),
        ("trees", "FieldMask", "field_mask"),
        ("trees", "Loud", "enum"),
        ("trees", "Optional[List[Quiet]]", "[enum_lower]"),
        ("trees", "Odd", "enum_mixed"),
        ("trees", "Node", "trees.Node"),
        ("trees", "'Node'", "trees.Node"),
        ("other", "trees.Node", "trees.Node"),
        ("other", "Optional[List[Node]]", "[trees.Node]"),
    ],
)
def test_the_type_of_an_annotation(
    annotations: Annotations, module: str, annotation: str, expected: str
) -> None:
    assert annotations.type_of(module, ast.parse(annotation, mode="eval").body) == expected


@pytest.mark.parametrize("annotation", ["Strange", "Set[str]", "Callable[[int], str]", "1"])
def test_an_annotation_of_another_form_is_an_error(annotations: Annotations, annotation: str) -> None:
    """Rather than a type that is wrong, or none."""
    with pytest.raises(ValueError, match="has no type"):
        annotations.type_of("trees", ast.parse(annotation, mode="eval").body)


def test_a_record_has_the_keys_that_it_sends(annotations: Annotations) -> None:
    expected = {"children": "[trees.Node]", "by_name": "{trees.Node}", "class": "text"}
    assert annotations.record("trees.Node") == expected
    assert annotations.records(iter(["[trees.Node]", "text"])) == {"trees.Node": expected}


def test_the_first_row_that_fits_counts_and_replaces_the_word(tmp_path: Path) -> None:
    file = tmp_path / "kinds.yaml"
    file.write_text(
        "- {type: text, of: [a.get.path]}\n- {type: uri, of: [path, a.*.name]}\n- {type: no, of: [never]}\n"
    )
    kinds = Kinds(file)
    assert kinds.type_of("a.get", "path", "text") == "text"
    assert kinds.type_of("a.put", "path", "text") == "uri"
    assert kinds.type_of("jobs.Task", "path", "[text]") == "[uri]"
    assert kinds.type_of("a.put", "name", "{text}") == "{uri}"
    assert kinds.type_of("b.put", "name", "text") == "text"
    assert kinds.type_of("a.put", "path", "jobs.Task") == "jobs.Task"
    assert kinds.type_of("a.put", "some_path", "text") == "text"
    assert kinds.unused() == ["never"]


WRONG = {
    "a kind of nothing": ("kinds", "- {type: x, of: [no_such]}\n", "kinds.yaml: no_such fits no parameter"),
    "an encoded variable of nothing": (
        "objects",
        "encoded:\n  - {of: [jobs.no_such.x], source: test}\n",
        "objects.yaml: encoded jobs.no_such.x fits no parameter",
    ),
    "a folder of nothing": (
        "objects",
        "below:\n  - {of: [workspace.export.no_such], source: test}\n",
        "objects.yaml: below workspace.export.no_such fits no parameter",
    ),
    "a condition that there is not": (
        "objects",
        "below:\n  - {of: [workspace.export.path], when: [no_such], source: test}\n",
        "objects.yaml: workspace.export has no no_such",
    ),
    "a stand-in that there is not": (
        "objects",
        "stand_ins:\n  - {holders: [jobs.get], of: [job_id, no_such], source: test}\n",
        "objects.yaml: stand_ins no_such: no holder has it",
    ),
    "an alternative of nobody": (
        "objects",
        "alternatives:\n  - {holders: [jobs.get], of: [a, b], source: test}\n",
        "objects.yaml: alternatives of jobs.get: it has no two of a, b",
    ),
}


@pytest.mark.parametrize(("which", "row", "problem"), WRONG.values(), ids=WRONG)
def test_a_row_that_fits_nothing_is_a_problem(tmp_path: Path, which: str, row: str, problem: str) -> None:
    """A parameter that is renamed in a new release takes what is known about it along, or somebody hears of it."""
    file = tmp_path / f"{which}.yaml"
    original = (build_module.KINDS if which == "kinds" else build_module.OBJECTS).read_text()
    section, _, rest = row.partition("\n")
    file.write_text(
        original + row if which == "kinds" else original.replace(f"\n{section}\n", f"\n{section}\n{rest}")
    )
    assert problem in build(Source(update.sdk_folder()), **{which: file}).problems


def test_the_makers_give_the_same_whatever_the_order_of_sets() -> None:
    version = Source(update.sdk_folder()).version
    if version not in update.FILE.read_text().splitlines()[0]:
        pytest.skip("another release of the SDK is installed")
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-m", "catalogue.update", "--check"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(update.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
