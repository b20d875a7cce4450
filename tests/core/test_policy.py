"""The compiled policy: whom it names, and whom to ask."""

from __future__ import annotations

import pytest

from brickscope.core.policy import EntraKey, Grant, Login, Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.rule import RuleTable


def rule_set(name: str, contact: str | None = None) -> RuleSet:
    return RuleSet(name, RuleTable([]), RuleTable([]))._replace(contact=contact)


OWN, NONE = rule_set("own", "own@example"), rule_set("none")
# the policy's contact, the rule set, and whom to ask
CONTACTS: dict[str, tuple[str | None, str | None, str | None]] = {
    "the rule set's own": ("all@example", "own", "own@example"),
    "the policy's, where the rule set has none": ("all@example", "none", "all@example"),
    "the policy's, where nothing decided": ("all@example", None, "all@example"),
    "the policy's, for a rule set that is gone": ("all@example", "gone", "all@example"),
    "the rule set's alone": (None, "own", "own@example"),
    "nobody": (None, "none", None),
    "nobody, where nothing decided": (None, None, None),
}


@pytest.mark.parametrize(("contact", "decided", "asked"), CONTACTS.values(), ids=CONTACTS)
def test_whom_to_ask_about_a_denial(contact: str | None, decided: str | None, asked: str | None) -> None:
    known = Policy({}, {"own": OWN, "none": NONE}, Mode.ENFORCE, "rev", contact=contact)
    assert known.contact_of(decided) == asked


def test_everybody_whom_it_names() -> None:
    ci, etl, ada, app = (Subject(name, OWN) for name in ("ci", "etl", "ada", "app"))
    login = Login("cli", "databricks-cli", frozenset({Grant.REFRESH}))
    key = EntraKey("t", "o", None, is_user=False)
    principals = Principals({"c": etl}, {"ada@x": ada}, (login,), {}, {key: app})
    known = Policy({"f1": ci, "f2": ci}, {}, Mode.ENFORCE, "rev", principals)
    assert known.principals.subjects == [etl, ada, app]
    assert known.subjects == [ci, ci, etl, ada, app]
    assert known.everybody == [ci, ci, etl, ada, app, login]


def test_by_what_somebody_of_entra_is_known() -> None:
    assert str(EntraKey("t", "o", "a", is_user=False)) == "tenant t object o application a"
    assert str(EntraKey("t", None, "a", is_user=False)) == "tenant t application a"
    assert str(EntraKey("t", "o", None, is_user=True)) == "tenant t object o"
