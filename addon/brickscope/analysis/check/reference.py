"""The codes as text: for ``brickscope check --explain`` and SARIF."""

from textwrap import fill

from .code import Code
from .power import grounds, powers

WIDTH = 120


def plain(code: Code) -> str:
    """One code for a terminal; Markdown as well."""
    lines = [f"{code.code}  {code.title}  ({code.severity})", "", _filled(code.why)]
    if code.needs:
        lines.append("")
        for index, part in enumerate(code.needs):
            lines.append(_filled(f"{'and ' if index else 'a rule set that '}{_choice(part)}", "  "))
    for power in code.needs[0] if len(code.needs) == 1 else ():
        lines += [_filled(each, "      ", first="    - ") for each in _operations(power)]
    lines += ["", "for example:", "", *_indented(code.example)]
    lines += ["", _filled(f"to fix it: {code.fix}"), "", *_indented(code.fixed)]
    accept = _entry(code)
    if accept:
        lines += ["", "or accept it, with a reason and an end date:", "", *_indented(accept)]
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
    if code.code == "BS504":
        about = "rule_set: ci, "
    if code.code in ("BS505", "BS510"):
        about = ""
    return (
        f'accept:\n  - {{finding: {code.code}, {about}reason: "why this is intended", until: 2027-03-01}}\n'
    )


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]
