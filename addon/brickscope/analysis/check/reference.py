"""The codes as text: for ``brickscope check --explain`` and SARIF."""

from __future__ import annotations

from textwrap import fill

from .code import Code
from .power import grounds, powers

WIDTH = 120


def markdown(code: Code, level: int) -> str:
    """One code with its reasons and examples, under a heading of this level."""
    parts = [
        f"{'#' * level} {code.code}\n\n**{_sentence(code.title)}** Severity: {code.severity}.\n",
        f"\n{_filled(code.why)}\n",
        _needs(code),
    ]
    if code.brief:
        example, mended = code.brief
        parts += [
            f"\nHas it: `{example}`\n",
            f"\n{_filled(f'**Mend it.** {code.mend}')}\n\nHas it not: `{mended}`\n",
        ]
    else:
        parts += [f"\n```yaml\n{code.example}```\n"]
        parts += [f"\n{_filled(f'**Mend it.** {code.mend}')}\n\n```yaml\n{code.mended}```\n"]
    entry = _entry(code)
    if entry:
        parts.append(f"\n**Accept it:** `{entry.splitlines()[1].strip()}` under `accept:`.\n")
    return "".join(parts)


def plain(code: Code) -> str:
    """One code for a terminal."""
    lines = [f"{code.code}  {code.title}  ({code.severity})", "", _filled(code.why)]
    if code.needs:
        lines.append("")
        for index, part in enumerate(code.needs):
            lines.append(_filled(f"{'and ' if index else 'a rule set that '}{_choice(part)}", "  "))
            lines += [
                _filled(each, "      ", first="    - ") for power in part for each in _operations(power)
            ]
    lines += ["", "for example:", "", *_indented(code.example)]
    lines += ["", _filled(f"mend it: {code.mend}"), "", *_indented(code.mended)]
    accept = _entry(code)
    if accept:
        lines += ["", "or accept it, with why and until when:", "", *_indented(accept)]
    return "\n".join(lines)


def _operations(power: str) -> list[str]:
    """The operations that give a power, why, and what limits them; those with one reason together."""
    held: dict[tuple[str, tuple[str, ...], str | None], list[str]] = {}
    for operation, each in grounds().items():
        for one in each:
            if one.power == power:
                held.setdefault((one.why, one.limit, one.carried), []).append(operation)
    return [
        f"{', '.join(names)}: {why}"
        + (f" Limited by {', '.join(limit)}." if limit else "")
        + (f" Only if the call may carry {carried}." if carried else "")
        for (why, limit, carried), names in held.items()
    ]


def _needs(code: Code) -> str:
    if not code.needs:
        return ""
    choices = [_choice(part) for part in code.needs]
    if len(choices) == 1:
        return f"\n{_filled(f'A rule set that {choices[0]}.')}\n"
    lines = [_filled(f"- {choice}", "  ", first="") for choice in choices]
    return "\nA rule set that does both:\n\n" + "\n".join(lines) + "\n"


def _filled(text: str, indent: str = "", first: str | None = None) -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _choice(part: tuple[str, ...]) -> str:
    words = [powers()[power] for power in part]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _entry(code: Code) -> str:
    """How the finding is accepted; empty for one that can't be."""
    group = code.code[:3]
    if group in ("BS0", "BS9"):
        return ""
    about = {"BS5": "subject: ci, "}.get(group, "rule_set: ci, ")
    if code.code in ("BS504",):
        about = "rule_set: ci, "
    if code.code in ("BS505", "BS510"):
        about = ""
    return (
        f'accept:\n  - {{finding: {code.code}, {about}reason: "why it is right here", until: 2027-03-01}}\n'
    )


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def _sentence(title: str) -> str:
    return f"{title[0].upper()}{title[1:]}."
