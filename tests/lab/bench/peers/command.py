"""``scripts/bench --peers``: run the race, write the document."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from ..measurement import Say
from .document import check_document, render, summary, write_section
from .rounds import FULL, QUICK, run_race

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "performance.md"


def compare_peers(console: Console, say: Say, document: Path, only: Sequence[str], *, quick: bool) -> None:
    """Measure all peers that are installed and write the section. Raises StartError or DocumentError."""
    check_document(document)
    load_before = os.getloadavg()[0]
    race = run_race(QUICK if quick else FULL, say, only)
    flags = [*(["--quick"] if quick else []), *(f"--peer {name}" for name in only)]
    section = render(race, " ".join(["scripts/bench --peers", *flags]), load_before)
    write_section(document, section)
    console.print(
        Markdown(section) if console.is_terminal else section, highlight=False, markup=False, soft_wrap=True
    )
    console.print(f"\n{summary(race)}\nwritten: {document}", highlight=False, markup=False, soft_wrap=True)
