"""Series can be told apart, also by people who see few colours, in light and dark."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import pytest

from report.contrast import contrast, linear

CSS = files("brickscope.report").joinpath("page", "page.css").read_text(encoding="utf-8")
SERIES = ("allowed", "denied", "sent")
GROUNDS = {"serious": "serious-ground", "look": "look-ground", "note": "note-ground", "good": "good-ground"}

# Linear light as it is seen without one of the cones (Viénot, Brettel, Mollon 1999; for the third Machado et al. 2009).
SEEN = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.1124, 0.8876, 0], [0.1124, 0.8876, 0], [0.0040, -0.0040, 1]],
    "no green": [[0.2927, 0.7073, 0], [0.2927, 0.7073, 0], [-0.0223, 0.0223, 1]],
    "no blue": [[1.2555, -0.0768, -0.1787], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}


def _palettes() -> dict[str, dict[str, str]]:
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)", CSS)
    return {
        "light": {name: light for name, light, _ in found},
        "dark": {name: dark for name, _, dark in found},
    }


PALETTES = _palettes()
EACH = pytest.mark.parametrize("theme", PALETTES)


def _lab(colour: str, cones: list[list[float]]) -> tuple[float, float, float]:
    light = linear(colour)
    seen = [
        min(1, max(0, sum(share * part for share, part in zip(row, light, strict=True)))) for row in cones
    ]
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    white = (0.9505, 1, 1.089)
    xyz = [
        sum(a * b for a, b in zip(row, seen, strict=True)) / w for row, w in zip(matrix, white, strict=True)
    ]
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _distance(one: str, other: str, cones: list[list[float]]) -> float:
    pairs = zip(_lab(one, cones), _lab(other, cones), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


def test_every_colour_has_its_two_sides() -> None:
    assert len(PALETTES["light"]) == len(re.findall(r"light-dark\(", CSS)) > 15
    assert {*SERIES, *GROUNDS, *GROUNDS.values(), "paper", "ink", "quiet"} <= set(PALETTES["light"])


@EACH
def test_series_stand_out_from_their_ground(theme: str) -> None:
    palette = PALETTES[theme]
    for name in SERIES:
        assert contrast(palette[name], palette["paper"]) >= 3, name
    for name, ground in GROUNDS.items():
        assert contrast(palette[name], palette[ground]) >= 4.5, name


@EACH
@pytest.mark.parametrize("eyes", SEEN)
def test_allowed_and_denied_are_told_apart_by_all_eyes(theme: str, eyes: str) -> None:
    palette = PALETTES[theme]
    assert _distance(palette["allowed"], palette["denied"], SEEN[eyes]) > 30


@EACH
def test_series_are_told_apart_by_most_eyes(theme: str) -> None:
    """What is sent in monitor mode is hatched besides."""
    palette = PALETTES[theme]
    for one, other in combinations(SERIES, 2):
        assert _distance(palette[one], palette[other], SEEN["all"]) > 20, (one, other)
