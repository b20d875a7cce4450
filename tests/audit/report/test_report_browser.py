"""The page in a real browser: it works by mouse, keys, phone, paper and without a script, and no attack in it does."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from audit.report.browser import PHONE, WIDE, Browser
from audit.report.contrast import POOR_CONTRAST
from brickscope.audit.report.data import Report
from brickscope.audit.report.page import render

TAB, ENTER, ESCAPE, LEFT, RIGHT = "\ue004", "\ue007", "\ue00c", "\ue012", "\ue014"


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
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(row => !row.hidden)"
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
    browser.one("#endings-table thead th:nth-child(6) button").click()  # "1.2 MB" before "964 kB"
    values = browser.run(
        "return [...document.querySelectorAll('#endings-table tbody tr')].map(row => Number(row.cells[5].dataset.value))"
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


def test_pointing_at_a_chart_tells_the_numbers(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    browser.open(page)
    slot = browser.all("svg.wide .slot")[6]
    browser.run("arguments[0].scrollIntoView({block: 'center'})", slot)
    browser.settle()
    ActionChains(browser.driver).move_to_element(slot).perform()
    tip = browser.one(".tip")
    assert tip.is_displayed()
    assert re.match(r"2026-11-1\d \d\d:\d\d:\d\d UTC\n[\d,]+ calls?, ", tip.text)
    browser.press(ESCAPE)
    assert not tip.is_displayed()


# -- keys ----------------------------------------------------------------------------------------------------------


def test_it_is_used_by_keys_alone(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press(TAB)
    active = "return document.activeElement"
    assert browser.run(active).text == "To the summary"
    browser.press(ENTER)
    seen: list[str] = []
    for _ in range(60):
        browser.press(TAB)
        seen.append(
            browser.run(
                "return document.activeElement.closest('[id]')?.id + ' ' + document.activeElement.tagName"
            )
        )
        if seen[-1] == "subjects-table BUTTON":
            break
    assert "time svg" in seen
    assert seen[-1] == "subjects-table BUTTON"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid"
    browser.press(ENTER)
    assert browser.one("#subjects-table thead th").get_attribute("aria-sort") == "ascending"


def test_a_chart_is_walked_through_by_arrow_keys(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('svg.wide').focus()")
    browser.settle()
    told = []
    for key in (RIGHT, RIGHT, LEFT):
        browser.press(key)
        told.append(browser.one("#live").get_attribute("textContent"))
    assert told[0] == told[2] != told[1]
    assert all(re.match(r"2026-11-13 ", text) for text in told)
    assert browser.one(".tip").is_displayed()


def test_a_link_into_a_closed_part_opens_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    rule_set = browser.one("details.rule-set")
    assert rule_set.get_attribute("open") is None
    browser.run("document.querySelector('#reach-table tbody a').click()")
    assert browser.run("return document.querySelector('details.rule-set').open") is True


# -- what it looks like --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["page", "hostile_page"])
@pytest.mark.parametrize("size", [PHONE, (320, 700), (768, 1024)], ids=str)
def test_no_screen_is_too_narrow(
    which: str, size: tuple[int, int], browser: Browser, request: pytest.FixtureRequest
) -> None:
    browser.open(request.getfixturevalue(which), size)
    browser.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    width = browser.run("return document.documentElement.scrollWidth")
    assert width <= size[0]
    small = size[0] <= 640
    assert browser.one("svg.narrow").is_displayed() is small
    assert browser.one("svg.wide").is_displayed() is not small


@pytest.mark.parametrize(("scheme", "poor"), [("light", "#999"), ("dark", "#555")])
def test_every_text_can_be_read(scheme: str, poor: str, browser: Browser, page: Path) -> None:
    browser.open(page, scheme=scheme)
    browser.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert browser.run(POOR_CONTRAST) == []
    # Broken on purpose: what is measured is what is seen.
    browser.run("document.documentElement.style.setProperty('--quiet', arguments[0])", poor)
    assert len(browser.run(POOR_CONTRAST)) > 50


def test_the_theme_follows_the_system_until_it_is_chosen(browser: Browser, page: Path) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    browser.open(page, scheme="light")
    light = browser.run(ground)
    browser.open(page, scheme="dark")
    dark = browser.run(ground)
    assert light != dark
    button = browser.one("#buttons button")
    seen = []
    for _ in range(3):
        button.click()
        seen.append((button.text, browser.run(ground)))
    assert seen == [("Theme: light", light), ("Theme: dark", dark), ("Theme: auto", dark)]


def test_it_prints_with_its_rules_open_and_closes_them_again(browser: Browser, page: Path) -> None:
    browser.open(page, scheme="dark")
    printed = browser.print()
    assert printed.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 5 <= pages <= 40
    assert (
        browser.run(
            "return [...document.querySelectorAll('details[data-print]')].filter(part => part.open).length"
        )
        == 0
    )
    browser.devtools("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run(POOR_CONTRAST) == []
    assert not browser.one("nav.contents").is_displayed()
    assert not any(field.is_displayed() for field in browser.all("input, .show-all"))
    assert "rows are printed" in browser.one("#operations-table .cut").text
    head = browser.one("#operations-table thead th")
    assert (head.text, head.find_element("css selector", "button").is_displayed()) == ("Operation", False)
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_without_its_script_everything_is_there(browser: Browser, page: Path) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        rows = browser.all("#operations-table tbody tr")
        assert len(rows) > 12
        assert all(row.is_displayed() for row in rows)
        assert browser.all("button") == browser.all("input") == []
        assert len(browser.all("svg.wide .slot title")) > 50
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
        ("a picture that is neither named nor hidden", "svg:not([role=img]):not([aria-hidden=true])"),
        ("a heading cell that does not say of what", "th:not([scope])"),
        ("a table without a name", "table:not([aria-labelledby])"),
        ("a scrolling part that keys can't reach", ".scroll:not([tabindex])"),
        ("a button without a type", "button:not([type])"),
        ("a positive tabindex", "[tabindex]:not([tabindex='0'])"),
        ("a section without a heading", "main > section:not(:has(h1, h2))"),
        ("a chart without its numbers as a table", "figure:has(svg[role=img]):not(:has(details table))"),
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


def test_the_contents_follow_the_reader(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.getElementById('denied').scrollIntoView()")
    current = "return [...document.querySelectorAll('.contents [aria-current]')].map(link => link.hash)"
    for _ in range(20):
        if browser.run(current) == ["#denied"]:
            break
        browser.settle()
    assert browser.run(current) == ["#denied"]


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
