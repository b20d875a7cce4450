"""The page: one HTML file with its style and script inside, which loads nothing and runs nothing but its own script.

Whatever stands in the log is hostile. It gets onto the page in one way only: as text, escaped by the template engine, and
with its invisible characters spelled out (``text.shown``). Should something slip through all the same, the page's own
Content-Security-Policy lets no script run but the one whose hash it names, and lets nothing be loaded or sent.
"""

import base64
import re
from functools import cache
from hashlib import sha256

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

import brickscope
from brickscope import shipped

from . import text
from .block import WEIGHTS
from .integrity import WORDS
from .report import Report


def render(report: Report) -> str:
    """The whole page."""
    css, js = _asset("page.css"), _asset("page.js")
    template = _environment().get_template("page.html.j2")
    return str(
        template.render(
            report=report,
            version=brickscope.__version__,
            # Ours, and free of anything from the log; so they need not be escaped, nor could they be.
            css=Markup(css),  # noqa: S704
            js=Markup(js),  # noqa: S704
            policy=content_policy(css, js),
            status_words=WORDS,
            weight_words=dict(zip(WEIGHTS, ("Serious", "Review", "Note"), strict=True)),
        )
    )


def content_policy(css: str, js: str) -> str:
    """The Content-Security-Policy: nothing but this style and this script."""
    return (
        f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(js)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'"


def _breakable(value: object) -> Markup:
    """Text that may be broken where its parts join, rather than anywhere."""
    # What is inserted stands in no entity: these have none of the three signs.
    return Markup(re.sub(r"(?<=[._/])", "<wbr>", str(escape(text.shown(value)))))  # noqa: S704


def _asset(name: str) -> str:
    return shipped.text(__package__, "page", name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": text.shown,
        "lines": text.shown_lines,
        "breakable": _breakable,
        "number": text.number,
        "moment": text.moment,
        "duration": text.duration,
        "size": text.size,
        "spark": text.spark_path,
    }
    return environment
