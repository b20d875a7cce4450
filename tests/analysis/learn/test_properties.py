"""For any session: all evidence is allowed by what is proposed, nothing but what was observed is, what is dangerous never
is unless it was asked for, and nothing that a client wrote gets out of its place in YAML or on a terminal."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import settings
from hypothesis import strategies as st

from analysis.learn.sessions import CI, POLICY, Did, session
from audit.made_log import START, write_log
from brickscope.analysis.answer import render
from brickscope.analysis.judge import known
from brickscope.analysis.learn import report
from brickscope.analysis.learn.draft import compile_draft
from brickscope.analysis.learn.learning import Learned, learn
from brickscope.analysis.learn.proposal import Wish, is_dangerous
from brickscope.audit.reader import AuditLog
from brickscope.catalog.catalog import load_catalog
from brickscope.core.template import Literal, Rest, parse_catalogue_template
from brickscope.policy.load import load_policy
from reaching import reaching

OPERATIONS = [
    each
    for each in load_catalog().operations.values()
    # those of apps alone are on hosts of their own
    if each.name != "oidc.token" and any(" /" in call for call in each.calls)
]
HOSTILE = [
    "x\n- jobs.delete",
    "'\"]}: &a *b !!x # y",
    "\x1b[2Jgone",
    "{any...}",
    "\u202egnitirw",
    "\ud800",
    "- a",
    "true",
    "",
    "..",
    "a/../b",
]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 3),
    st.sampled_from(["a.b.c", "a.b.d", "/Workspace/x/y", "/Workspace/x/z", *HOSTILE]),
    st.none(),
    st.booleans(),
    st.just({"hmac_sha256": "0"}),
    st.text(max_size=8),
)

SEGMENTS = st.sampled_from(["7", "8", "a.b.c", "a.b.d", "%22", "x'y", "%7Bany...%7D", "a:b", "&a", "*", "=1"])


@st.composite
def calls(draw: st.DrawFn) -> Did:
    operation = draw(st.sampled_from(OPERATIONS))
    method, _, template = draw(st.sampled_from([call for call in operation.calls if " /" in call])).partition(
        " "
    )
    path = ""
    for part in parse_catalogue_template(template).segments:
        verb = "" if isinstance(part, Literal) or part.verb is None else f":{part.verb}"
        count = draw(st.integers(1, 3)) if isinstance(part, Rest) else 1
        taken = [part.text] if isinstance(part, Literal) else [draw(SEGMENTS) for _ in range(count)]
        path += "".join(f"/{each}" for each in taken) + verb
    params = {name: draw(VALUES) for name, place in operation.object.items() if place != "path"}
    path = draw(st.sampled_from([path, path, path, f"/api/2.0/strange/{draw(SEGMENTS)}", "/api/9/\x1b[2J"]))
    status = draw(st.sampled_from([200, 200, 200, 404, None]))
    return Did(method, path, params if draw(st.booleans()) else None, status, draw(st.integers(0, 60)))


def made(did: list[Did], wish: Wish) -> tuple[Learned, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder / "log", _storable(session(did)))
        (folder / "policy.yaml").write_text(POLICY)
        loaded = load_policy(folder / "policy.yaml", START.timestamp())
        with AuditLog([folder / "log"]) as log:
            said = learn(log, CI, wish, loaded)
        compiled = None
        if said.draft is not None:
            compiled = compile_draft(said.draft, loaded, START.timestamp())
        return said, compiled


def _storable(records: list[Any]) -> list[Any]:
    """Lone surrogates are no JSON that a writer could write."""
    for record in records:
        for name, value in (record.get("params") or {}).items():
            if isinstance(value, str):
                record["params"][name] = value.encode("utf-8", "replace").decode()
    return records


WISHES = st.builds(
    Wish,
    include=st.frozensets(
        st.sampled_from([each.name for each in OPERATIONS if is_dangerous(each)]), max_size=3
    ),
    classes=st.sampled_from(
        [frozenset[str](), frozenset(["execute"]), frozenset(["grant", "secret", "write"])]
    ),
    paths=st.booleans(),
    max_values=st.integers(1, 5),
)


@reaching(0.3, st.lists(calls(), min_size=1, max_size=8).map(lambda each: each * 2), WISHES)
@settings(max_examples=75, deadline=None)
def test_any_session(did: list[Did], wish: Wish) -> bool:
    said, compiled = made(did, wish)
    text = "\n".join(render("learn", report.data(said)))
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()
    report.data(said)
    if said.draft is None:
        return False
    # All evidence is allowed, by the decision function itself.
    assert said.proof is not None
    assert said.proof.holds, said.proof.failed
    left = sum(each.tally.calls for each in said.proposal.dangerous)
    left += sum(tally.calls for tally in said.proposal.paths.values())
    assert said.proof.calls == said.evidence.calls - sum(said.left_out.values()) - left
    # Nothing is allowed but operations that were observed (and what the policy had before).
    assert compiled is not None
    subject = known(compiled)["ci"].subject
    rule_set = subject.rule_set
    observed = {record.get("operation") for record in session(did)}
    assert set(rule_set.operations) - {"current_user.me"} <= observed
    for name in set(rule_set.operations) - {"current_user.me"}:
        assert wish.permits(load_catalog().operations[name])
    assert wish.paths or not rule_set.allow.rules
    # What was written is what is read: no text of the log became YAML.
    rules = yaml.safe_load(said.draft.text)["rule_sets"]["runner"]["allow"]
    assert rules == ["current_user.me", *(entry.written for entry in said.proposal.entries)]
    assert said.draft.text.isascii()
    return True
