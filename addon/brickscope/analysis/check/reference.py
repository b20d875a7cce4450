"""The codes as text: for ``brickscope check --explain`` and for ``docs/findings.md``, which a test keeps equal."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill

from .code import Code, codes
from .power import grounds, powers

WIDTH = 120
_POWERS = (
    "Which operations give which power, and why. Every operation of class grant, secret or execute, and every one that "
    "the catalogue calls a risk, is among them or was looked at and found harmless; `powers.yaml` has the sources. A "
    "limit counts where a rule fixes all of the parameters that are named, by a list of values, a prefix or a pattern, "
    "without `optional`."
)
_GROUPS = {
    "BS0": ("Loading", "The policy itself."),
    "BS1": ("Rules that do not do what they say", "Overlaps, dead rules, limits and denies without effect."),
    "BS2": (
        "Escalation by one power",
        "What a rule set lets its holder become. A power counts only if a request that uses it was allowed by the decision "
        "function. One step less severe where all of it is limited by `where` as the catalogue of powers says.",
    ),
    "BS3": (
        "Escalation by several powers together",
        "Each part may be harmless, or accepted, on its own; together they are more.",
    ),
    "BS4": ("Rules that are wider than they look", "What a variable, a service or a class takes in."),
    "BS5": ("Subjects and logins", "Bindings, modes, ways to get tokens."),
    "BS9": ("Acceptances", "They can't be accepted themselves."),
}
_HEAD = """\
# Every finding of `brickscope check`

Made from the YAML files in `addon/brickscope/analysis/check`; `brickscope check --explain CODE` prints the same. A code is
never given another meaning. Each example is loaded by a test: the first has the finding, the second has not. How to
read findings, accept them and gate on them: [check.md](check.md).

| code | severity | finding |
|---|---|---|
"""


def page() -> str:
    """``docs/findings.md``."""
    parts = [
        _HEAD,
        *(
            f"| [{code.code}](#{code.code.lower()}) | {code.severity} | {code.title} |\n"
            for code in codes().values()
        ),
    ]
    group = ""
    for code in codes().values():
        if code.code[:3] != group:
            group = code.code[:3]
            title, intro = _GROUPS[group]
            parts.append(f"\n## {title}\n\n{intro}\n")
        parts.append(f"\n{markdown(code, 3)}")
    return "".join([*parts, *_powers()])


def _powers() -> list[str]:
    """The powers with the operations that give them."""
    parts = [f"\n## Powers\n\n{_filled(_POWERS)}\n"]
    held: dict[str, dict[tuple[str, tuple[str, ...], str | None], list[str]]] = {}
    for operation, each in grounds().items():
        for one in each:
            reasons = held.setdefault(one.power, {})
            reasons.setdefault((one.why, one.limit, one.carried), []).append(operation)
    for power, does in powers().items():
        parts.append(f"\n**{_sentence(does)}**\n\n")
        for (why, limit, carried), operations in held[power].items():
            text = f"- {_code_words(operations)}: {why}"
            if limit:
                text += f" Limited by {_code_words(limit)}."
            if carried:
                text += f" Only if the call may carry `{carried}`."
            parts.append(f"{_filled(text, '  ', first='')}\n")
    return parts


def _code_words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


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
    lines += ["", "for example:", "", *_indented(code.example)]
    lines += ["", _filled(f"mend it: {code.mend}"), "", *_indented(code.mended)]
    accept = _entry(code)
    if accept:
        lines += ["", "or accept it, with why and until when:", "", *_indented(accept)]
    return "\n".join(lines)


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
