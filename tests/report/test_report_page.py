"""The page without a browser: whatever stands in the log is text on it, and nothing else is loaded or run."""

from __future__ import annotations

import base64
import dataclasses
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brickscope.report.block import Cell, Table
from brickscope.report.page import render
from brickscope.report.report import Report
from brickscope.report.text import shown
from report.hostile import PAYLOADS


class Elements(HTMLParser):
    """What a page is made of: its tags with the names of their attributes, links, ids, text, styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.kinds: set[tuple[str, tuple[str, ...]]] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.values: list[str] = []
        self.text = ""
        self.inner: dict[str, list[str]] = {"style": [], "script": []}
        self.policy = ""
        self._at = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.kinds.add((tag, tuple(sorted(given))))
        self._at = tag
        if tag in self.inner:
            self.inner[tag].append("")
        self.links += [given[name] for name in ("href", "src", "action", "data", "srcset") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        self.references += given.get("aria-labelledby", "").split()
        self.values += given.values()
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_endtag(self, tag: str) -> None:
        self._at = ""

    def handle_data(self, data: str) -> None:
        if self._at in self.inner:
            self.inner[self._at][-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def elements(page: Path) -> Elements:
    return Elements(page.read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_anywhere(elements: Elements) -> None:
    assert {link for link in elements.links if not link.startswith("#")} == {"data:,"}
    inside = " ".join([*elements.inner["style"], *elements.inner["script"]])
    assert not re.search(
        r"https?:|//[a-z]|@import|fetch\(|XMLHttp|WebSocket|import\(|sendBeacon|eval\(|innerHTML", inside
    )
    assert set(re.findall(r"url\(([^)]*)\)", inside)) == {'"#hatch"'}


def test_links_lead_to_parts_of_the_page(elements: Elements, report: Report) -> None:
    assert {link[1:] for link in elements.links if link.startswith("#")} <= set(elements.ids)
    assert set(elements.references) <= set(elements.ids)
    assert len(elements.ids) == len(set(elements.ids))
    sections = [section.id for section in report.sections]
    assert [name for name in elements.ids if name in sections] == sections
    assert {
        "time",
        "denied",
        "subjects",
        "operations",
        "permissions",
        "tokens",
        "integrity",
        "limits",
    } <= set(sections)


def test_the_policy_names_the_one_style_and_the_one_script(elements: Elements) -> None:
    digests = {}
    for kind, contents in elements.inner.items():
        assert len(contents) == 1
        digests[kind] = base64.b64encode(sha256(contents[0].encode()).digest()).decode()
    assert elements.policy == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_no_element_has_a_style_or_script_of_its_own(elements: Elements) -> None:
    names = {name for _, attributes in elements.kinds for name in attributes}
    assert not [name for name in names if name.startswith("on") or name == "style"]


def test_the_page_stays_small(page: Path, hostile_report: Report) -> None:
    assert page.stat().st_size < 500_000
    assert len(render(hostile_report)) < 3_000_000


def test_a_log_that_is_an_attack_adds_nothing_but_text(hostile_report: Report, elements: Elements) -> None:
    attacked = Elements(render(hostile_report))
    assert {tag for tag, _ in attacked.kinds} <= {tag for tag, _ in elements.kinds} | {"strong"}
    attributes = {name for _, names in elements.kinds for name in names}
    assert {name for _, names in attacked.kinds for name in names} <= attributes | {"cx"}
    assert {link for link in attacked.links if not link.startswith("#")} == {"data:,"}
    assert [len(each) for each in attacked.inner.values()] == [1, 1]
    assert attacked.inner == elements.inner
    for payload in PAYLOADS:
        if payload.strip():
            # All of it is on the page, as text: nothing is hidden from the reviewer.
            assert shown(payload)[:200] in attacked.text, payload[:80]
    assert not [
        char for char in "".join([attacked.text, *attacked.values]) if not char.isprintable() and char != "\n"
    ]


@given(st.text(min_size=1, max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_whatever_a_name_is_the_page_has_the_same_elements(report: Report, name: str) -> None:
    def page(text: str) -> Elements:
        return Elements(render(dataclasses.replace(_changed(report, text), title=text, period=text)))

    assert page(name).kinds == page("plain").kinds


def _changed(report: Report, text: str) -> Report:
    """The report with a text in the place of every name and sentence in its tables."""

    def cell(value: Any) -> Any:
        if isinstance(value, Cell):
            return value._replace(value=cell(value.value), notes=[text for _ in value.notes])
        return text if isinstance(value, str) else value

    def change(block: Any) -> Any:
        if isinstance(block, Table):
            return dataclasses.replace(block, rows=tuple(tuple(map(cell, row)) for row in block.rows))
        return block

    sections = (
        dataclasses.replace(
            section,
            blocks=tuple(map(change, section.blocks)),
            points=tuple(point._replace(text=text) for point in section.points),
        )
        for section in report.sections
    )
    return dataclasses.replace(report, sections=tuple(sections))


def test_what_is_left_out_of_a_table_is_said(report: Report) -> None:
    denied = next(section for section in report.sections if section.id == "denied")
    tables = [block for block in denied.blocks if isinstance(block, Table)]
    cut = dataclasses.replace(tables[0], rows=tables[0].rows[:2], total=1200)
    changed = dataclasses.replace(report, sections=(dataclasses.replace(denied, blocks=(cut,)),))
    text = re.sub(r"\s+", " ", Elements(render(changed)).text)
    assert "The first 2 of 1,200; 1,198 more are left out. brickscope audit denials has all." in text


def test_without_a_policy_it_says_that_it_does_not_know(hostile_report: Report) -> None:
    text = Elements(render(hostile_report)).text
    assert "No policy was given, so this report does not say who could do what." in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("intact", "Intact"),
        ("own key", "Intact, key not confirmed"),
        ("damaged", "Damaged"),
        ("unsigned", "Not signed"),
        ("unchecked", "Not checked"),
    ],
)
def test_green_is_only_what_a_given_key_has_shown(status: Any, words: str, report: Report) -> None:
    page = render(dataclasses.replace(report, status=status))
    assert f'<span class="badge {status.replace(" ", "-")}">{words}</span>' in page
    green = re.findall(r"^([^\n{]*)\{[^\n]*var\(--good\)", Elements(page).inner["style"][0], re.M)
    assert [rule.strip() for rule in green] == [".verdict.intact", "span.badge:is(.intact, .enforce)"]


def test_the_same_report_is_the_same_page(report: Report) -> None:
    assert render(report) == render(report)
