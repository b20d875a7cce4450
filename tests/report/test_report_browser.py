"""The page in a real browser: it works by mouse, keys, phone, paper and without a script, and no attack in it does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from brickscope.report.page import render
from brickscope.report.report import Report
from report.browser import PHONE, WIDE, Browser
from report.contrast import POOR_CONTRAST

TAB, ENTER = "\ue004", "\ue007"


@pytest.fixture(scope="module")
def hostile_page(hostile_report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the log that is an attack."""
    file = tmp_path_factory.mktemp("hostile-page") / "report.html"
    file.write_text(render(hostile_report), encoding="utf-8")
    return file


def _column(browser: Browser, table: str, column: int) -> list[str]:
    """The cells of a column that are seen."""
    return list(
        browser.run(
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(row => !row.classList.contains('off'))"
            ".map(row => row.cells[arguments[1]].textContent.trim())",
            f"#{table}",
            column,
        )
    )


def _numbers(texts: list[str]) -> list[int]:
    return [int(text.replace(",", "")) for text in texts]


# -- working with it -----------------------------------------------------------------------------------------------


def test_it_opens_without_a_word_in_the_console_and_asks_for_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.console() == []
    assert {url.partition(":")[0] for url in browser.requests()} <= {"file", "data"}
    assert len([url for url in browser.requests() if url.startswith("file:")]) <= 1
    assert browser.one("h1").text.startswith("Audit report, 2026-11-13 to 2026-11-22")


def test_tables_sort_by_a_click(browser: Browser, page: Path) -> None:
    browser.open(page)
    subject, calls = (browser.one(f"#subjects-table thead th:nth-child({number})") for number in (1, 4))
    assert calls.get_attribute("aria-sort") == "none"
    calls.find_element("css selector", "button").click()
    assert calls.get_attribute("aria-sort") == "descending"
    values = _numbers(_column(browser, "subjects-table", 3))
    assert values == sorted(values, reverse=True)
    calls.find_element("css selector", "button").click()
    assert calls.get_attribute("aria-sort") == "ascending"
    assert _numbers(_column(browser, "subjects-table", 3)) == sorted(values)
    subject.find_element("css selector", "button").click()
    assert (calls.get_attribute("aria-sort"), subject.get_attribute("aria-sort")) == ("none", "ascending")
    names = _column(browser, "subjects-table", 0)
    assert names == sorted(names, key=str.casefold)
    assert "sorted by Subject, ascending" in browser.one("#live").get_attribute("textContent")


def test_sorting_goes_by_values_and_not_by_what_is_shown(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.one("#endings-table thead th:nth-child(5) button").click()  # "1.2 MB" before "964 kB"
    values = browser.run(
        "return [...document.querySelectorAll('#endings-table tbody tr')].map(row => Number(row.cells[4].dataset.value))"
    )
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 2


def test_tables_filter_by_words(browser: Browser, page: Path) -> None:
    browser.open(page)
    field = browser.one("#operations-table input")
    status = browser.one("#operations-table [role=status]")
    whole = len(browser.all("#operations-table tbody tr"))
    field.send_keys("JOBS")
    assert set(_column(browser, "operations-table", 0)) >= {"jobs.list"}
    assert all("jobs" in name.lower() for name in _column(browser, "operations-table", 0))
    assert status.text.endswith(f"rows that match, of {whole}")
    field.send_keys(" execute")
    assert [name.partition("Runs")[0] for name in _column(browser, "operations-table", 0)] == ["jobs.run_now"]
    field.send_keys(" nothing-has-this")
    assert _column(browser, "operations-table", 0) == []
    field.clear()
    field.send_keys(" ")
    assert len(_column(browser, "operations-table", 0)) == 12


def test_all_rows_are_shown_on_demand(browser: Browser, page: Path) -> None:
    browser.open(page)
    whole = len(browser.all("#operations-table tbody tr"))
    assert len(_column(browser, "operations-table", 0)) == 12 < whole
    button = browser.one("#operations-table .show-all")
    assert button.text == f"Show all {whole} rows"
    button.click()
    assert len(_column(browser, "operations-table", 0)) == whole
    assert not button.is_displayed()


def test_every_step_of_the_chart_tells_its_numbers(browser: Browser, page: Path) -> None:
    browser.open(page)
    told = browser.run("return [...document.querySelectorAll('.slot title')].map(title => title.textContent)")
    assert len(told) > 30
    assert all(
        re.match(r"2026-11-\d\d \d\d:\d\d:\d\d UTC\n([\d,]+|no) calls?, [\d,]+ denied", text) for text in told
    )
    assert len(browser.all(".mark title")) >= 4


# -- keys ----------------------------------------------------------------------------------------------------------


def test_it_is_used_by_keys_alone(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press(TAB)
    active = "return document.activeElement"
    assert browser.run(active).text == "To the summary"
    browser.press(ENTER)
    seen: list[str] = []
    for _ in range(120):
        browser.press(TAB)
        seen.append(
            browser.run(
                "return document.activeElement.closest('[id]')?.id + ' ' + document.activeElement.tagName"
            )
        )
        if seen[-1] == "subjects-table BUTTON":
            break
    assert "calls SUMMARY" in seen
    assert seen[-1] == "subjects-table BUTTON"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid"
    browser.press(ENTER)
    assert browser.one("#subjects-table thead th").get_attribute("aria-sort") == "ascending"


def test_a_link_into_a_closed_part_opens_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    rule_set = browser.one("#rule-set-0")
    assert rule_set.get_attribute("open") is None
    browser.run("document.querySelector('#reach-table tbody a').click()")
    assert browser.run("return document.getElementById('rule-set-0').open") is True


# -- what it looks like --------------------------------------------------------------------------------------------


CUT = """
const wide = document.documentElement.clientWidth;
const seen = [...document.querySelectorAll('body *')].filter(
  each => each.getClientRects().length && !each.closest('.sr, .skip, .defs, option') && !(each instanceof SVGElement));
return seen.filter(each => {
  const box = each.getBoundingClientRect();
  const hides = !['visible', 'clip'].includes(getComputedStyle(each).overflowX);
  return box.right > wide + 0.5 || box.left < -0.5 || (hides && each.scrollWidth > each.clientWidth + 1);
}).map(each => `${each.tagName}.${each.className} ${each.textContent.slice(0, 60)}`);
"""
"""What reaches beyond the screen, or hides a part of itself."""


@pytest.mark.parametrize("which", ["page", "hostile_page"])
@pytest.mark.parametrize(
    "size", [(1280, 900), (1170, 900), (1000, 800), (768, 1024), PHONE, (320, 700)], ids=str
)
def test_nothing_is_cut_off(
    which: str, size: tuple[int, int], browser: Browser, request: pytest.FixtureRequest
) -> None:
    browser.open(request.getfixturevalue(which), size)
    _open_all(browser)
    assert browser.run(CUT) == []
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    # Broken on purpose: a table that may be wider than the screen is found.
    browser.run("document.querySelector('#denials-table table').style.width = '3000px'")
    assert browser.run(CUT) != []


@pytest.mark.parametrize("size", [(1280, 900), PHONE], ids=str)
def test_labels_of_the_chart_do_not_run_into_one_another(
    size: tuple[int, int], browser: Browser, page: Path
) -> None:
    browser.open(page, size)
    boxes = browser.run(
        "return [...document.querySelectorAll('.chart text')].filter(text => text.getClientRects().length)"
        ".map(text => text.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) > 10
    for one, other in combinations(boxes, 2):
        across = one["right"] > other["left"] and other["right"] > one["left"]
        assert not (across and one["bottom"] - 3 > other["top"] and other["bottom"] - 3 > one["top"]), (
            one,
            other,
        )


def _open_all(browser: Browser) -> None:
    browser.one("#buttons button").click()
    browser.settle()


@pytest.mark.parametrize(("scheme", "poor"), [("light", "#999"), ("dark", "#555")])
def test_every_text_can_be_read(scheme: str, poor: str, browser: Browser, page: Path) -> None:
    browser.open(page, scheme=scheme)
    _open_all(browser)
    assert browser.run(POOR_CONTRAST) == []
    # Broken on purpose: what is measured is what is seen.
    browser.run("document.documentElement.style.setProperty('--quiet', arguments[0])", poor)
    assert len(browser.run(POOR_CONTRAST)) > 50


def test_the_colours_follow_the_system(browser: Browser, page: Path) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    found = []
    for scheme in ("light", "dark"):
        browser.open(page, scheme=scheme)
        found.append(browser.run(ground))
    assert found == ["rgb(246, 247, 249)", "rgb(14, 19, 26)"]


A4 = (1047, 700)
"""What is left of a sheet across between the page's margins, at 96 dots an inch."""


@pytest.mark.parametrize("which", ["page", "hostile_page"])
def test_on_paper_all_of_it_is_there(which: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    browser.open(request.getfixturevalue(which), A4, scheme="dark")
    # Filtered and shortened on the screen, it is whole on paper all the same.
    browser.one("#denials-table input").send_keys("nothing-has-this")
    browser.devtools("Emulation.setEmulatedMedia", media="print", features=[])
    hidden = browser.run(
        "return [...document.querySelectorAll('tbody tr, details > *')].filter(each => !each.getClientRects().length)"
        ".map(each => each.textContent.slice(0, 60))"
    )
    assert hidden == []
    assert browser.run(CUT) == []
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run(POOR_CONTRAST) == []
    assert not any(each.is_displayed() for each in browser.all("nav, input, button"))
    head = browser.one("#operations-table thead th")
    assert (head.text, head.find_element("css selector", "button").is_displayed()) == ("Operation", False)
    assert browser.one("#signed").is_displayed()


def test_the_printed_file_holds_every_row(browser: Browser, page: Path, tmp_path: Path) -> None:
    """What the browser makes of it is read back from the PDF."""
    pdftotext = shutil.which("pdftotext")
    if pdftotext is None:
        missing = "pdftotext is not installed (Debian: apt install poppler-utils)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    browser.open(page, scheme="dark")
    open_before = browser.run("return document.querySelectorAll('details[open]').length")
    file = tmp_path / "report.pdf"
    file.write_bytes(browser.print())
    assert browser.run("return document.querySelectorAll('details[open]').length") == open_before == 0
    done = subprocess.run([pdftotext, "-layout", file, "-"], capture_output=True, check=True)
    printed = re.sub(r"\s+", "", done.stdout.decode())
    ids = browser.run(
        "return [...document.querySelectorAll('#denials-table tbody tr td:last-child')].map(e => e.textContent)"
    )
    operations = browser.run(
        "return [...document.querySelectorAll('#operations-table tbody th code')].map(e => e.textContent)"
    )
    rules = browser.run(
        "return [...document.querySelectorAll('details table th code')].map(e => e.textContent)"
    )
    steps = browser.run("return document.querySelectorAll('#calls-table tbody tr').length")
    assert min(len(ids), len(operations), len(rules), steps) > 12
    for text in (*operations, *rules):
        assert re.sub(r"\s+", "", text) in printed, text
    assert done.stdout.count(b"\f") < 40


def test_without_its_script_everything_is_there(browser: Browser, page: Path) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        rows = browser.all("#operations-table tbody tr")
        assert len(rows) > 12
        assert all(row.is_displayed() for row in rows)
        assert browser.all("button") == browser.all("input") == []
        assert len(browser.all(".slot title")) > 30
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)


# -- accessibility -------------------------------------------------------------------------------------------------


def test_headings_are_in_order(browser: Browser, page: Path) -> None:
    browser.open(page)
    levels = [int(each.tag_name[1]) for each in browser.all("h1, h2, h3, h4, h5, h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize(
    ("what", "selector"),
    [
        ("a field without a label", "input:not([aria-label]):not([aria-labelledby])"),
        ("a chart without a name", "svg[role=img]:not([aria-label])"),
        (
            "a picture that is neither named nor hidden",
            "svg:not([role=img], [role=img] svg, [aria-hidden=true])",
        ),
        ("a heading cell that does not say of what", "th:not([scope])"),
        ("a table without a name", "table:not([aria-labelledby])"),
        ("a button without a type", "button:not([type])"),
        ("a positive tabindex", "[tabindex]:not([tabindex='0'])"),
        ("a section without a heading", "main > section:not(:has(h1, h2))"),
        ("a chart without its numbers as a table", "figure:has(svg[role=img]):not(:has(+ details table))"),
        ("navigation without a name", "nav:not([aria-label])"),
    ],
)
def test_there_is_no(what: str, selector: str, browser: Browser, page: Path) -> None:
    browser.open(page)
    assert [each.get_attribute("outerHTML")[:200] for each in browser.all(selector)] == [], what


def test_names_of_buttons_and_links_are_not_empty(browser: Browser, page: Path) -> None:
    browser.open(page)
    empty = browser.run(
        "return [...document.querySelectorAll('a, button, summary, th')]"
        ".filter(each => !each.textContent.trim()).map(each => each.outerHTML.slice(0, 200))"
    )
    assert empty == []


# -- attacks -------------------------------------------------------------------------------------------------------


def _hacked(browser: Browser) -> Any:
    return browser.run("return window.__hacked ?? null")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_log_that_is_an_attack_does_nothing(
    size: tuple[int, int], browser: Browser, hostile_page: Path
) -> None:
    browser.open(hostile_page, size)
    # Everything is opened, sorted, filtered, pointed at.
    browser.run(
        """document.querySelectorAll('details').forEach(part => part.open = true);
        document.querySelectorAll('button').forEach(button => { if (button.textContent !== 'Print') button.click(); });
        document.querySelectorAll('input').forEach(field => {
          field.value = '<img src=x onerror=window.__hacked=1>'; field.dispatchEvent(new Event('input'));
          field.value = ''; field.dispatchEvent(new Event('input'));
        });
        document.querySelectorAll('td, rect, code').forEach(each => {
          for (const name of ['pointermove', 'mouseover', 'focus', 'click'])
            each.dispatchEvent(new PointerEvent(name, {bubbles: true}));
        });"""
    )
    assert _hacked(browser) is None
    assert browser.console() == []
    assert {url.partition(":")[0] for url in browser.requests()} <= {"file", "data"}
    assert browser.driver.title == "<script>window.__hacked=1</script>"
    assert len(browser.all("script")) == len(browser.all("style")) == 1
    assert browser.all("img, iframe, object, embed, form, base, audio, video, meta[http-equiv=refresh]") == []
    assert browser.one("h1").is_displayed()
    assert browser.run("return document.querySelectorAll('section').length") == 14


def test_should_an_attack_get_onto_the_page_it_is_not_run(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    """Escaping broken on purpose: the page's own policy is the second lock."""
    attack = (
        "<h1><script>window.__hacked=1</script><img src=x onerror=window.__hacked=2>"
        "<img src=http://127.0.0.1:9/pixel><b onclick=window.__hacked=3 id=b>b</b>"
        "<a id=j href='javascript:window.__hacked=4'>j</a><style>main{display:none}</style>"
        "<form action=http://127.0.0.1:9/><button type=submit id=f>f</button></form>"
    )
    content = page.read_text(encoding="utf-8")
    assert content.count("<h1>") == 1
    broken = tmp_path / "broken.html"
    broken.write_text(content.replace("<h1>", attack), encoding="utf-8")
    browser.open(broken)
    browser.run("for (const id of ['b', 'j', 'f']) document.getElementById(id).click()")
    assert _hacked(browser) is None
    assert browser.one("main").is_displayed()
    assert browser.driver.current_url.startswith(broken.as_uri())
    assert len([line for line in browser.console() if "Content Security Policy" in line]) >= 5
    # Without the lock the same page is hacked: so it is the lock that holds.
    unlocked = tmp_path / "unlocked.html"
    unlocked.write_text(
        re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", broken.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    browser.open(unlocked)
    assert _hacked(browser) is not None
