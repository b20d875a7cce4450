"""Types read from annotations, and the rows laid over them, on sources and files made for the purpose."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from catalogue.annotation import Annotations
from catalogue.kinds import Kinds

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
