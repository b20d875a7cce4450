"""A test file read against its policy: the cells of its tables, each with its place, or all that is wrong with it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from brickscope.analysis.call import Call, Home, read_call
from brickscope.analysis.judge import Known, home, known
from brickscope.analysis.sent import CallError
from brickscope.analysis.shown import quoted
from brickscope.core.policy import Login
from brickscope.error import OperatorError
from brickscope.log.record import printable
from brickscope.policy.document import Path as Place
from brickscope.policy.document import read_document
from brickscope.policy.finding import explain
from brickscope.policy.load import Loaded
from brickscope.policy.problem import Position, Problem, nearest

from .model import Case, Row, TestFile

ENDINGS = (".test.yaml", ".test.yml")
_KEY = re.compile(rb"^(?:\xef\xbb\xbf)?\{?[\"']?([A-Za-z][A-Za-z_ -]{0,39})[\"']?[ \t]*:", re.MULTILINE)
_OURS = frozenset({"now", "calls", "subjects", "without", "cases"})
_LOOKED_AT = 64 * 1024
_NOTHING = Row.model_validate({})


class SuiteError(OperatorError):
    """Test files that can't be used; ``problems`` holds all that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.position)
        super().__init__("\n".join(problem.render() for problem in self.problems))


class Cell(NamedTuple):
    """One call of one subject with the answer that is expected (``reason`` to ``mode``: None where anything will do).
    ``name``: unique in its file. ``client``: None for its own. ``listed``: whether somebody wrote the answer down."""

    name: str
    position: Position
    who: Known
    call: Call
    now: float
    client: str | None
    allow: bool
    reason: str | None = None
    rule: str | None = None
    enforced: bool | None = None
    mode: str | None = None
    listed: bool = True


def is_suite(file: Path) -> bool:
    """Whether a file is meant to hold tests of a policy, by its name and its first keys; other tools have such names.

    One that misspells or lacks ``policy_tests``, or can't be read, is meant so too: what is passed over would seem to pass.
    """
    if not file.name.endswith(ENDINGS) or file.is_dir():
        return False
    try:
        with file.open("rb") as stream:
            keys = {key.decode() for key in _KEY.findall(stream.read(_LOOKED_AT))}
    except OSError:
        return True
    return bool(get_close_matches("policy_tests", keys, 1, 0.8)) or len(keys & _OURS) > 1


class Suite:
    """A test file. ``policy``: where the policy is that it tests."""

    def __init__(self, file: Path) -> None:
        """Raises SuiteError with everything that is wrong with its shape."""
        try:
            raw = file.read_bytes()
        except OSError as error:
            problem = Problem(Position(str(file)), "error", f"can't be read: {error.strerror}")
            raise SuiteError([problem]) from None
        self._document, self._problems = read_document(str(file), raw)
        if self._document.data is not None:
            try:
                self.model = TestFile.model_validate(self._document.data)
            except ValidationError as error:
                self._problems += [
                    explain(self._document, details, _keys)
                    for details in error.errors(include_url=False)
                    if "literal['all']" not in details["loc"]  # the other half of what 'allow' may be
                ]
        self._refuse()
        self.policy = file.parent / (self.model.policy or "")
        self._everybody: Mapping[str, Known] = {}
        self._read: dict[tuple[str, Home], Call | None] = {}

    def cells(self, loaded: Loaded) -> list[Cell]:
        """Its cells against the policy. Raises SuiteError: names that are not there, calls that can't be read."""
        self._everybody = known(loaded.policy)
        cells = [*self._matrix(), *self._cases()]
        if not cells and not self.model.calls and not self._problems:
            # With calls alone it waits for the policy's first subject.
            self._fail((), "the file has no test", "calls: and subjects:, or cases:")
        self._refuse()
        return cells

    def _refuse(self) -> None:
        if self._problems:
            raise SuiteError(self._problems)

    def _fail(self, path: Place, message: str, hint: str = "") -> None:
        self._problems.append(self._document.problem(self._document.key_position(path), message, hint))

    def _matrix(self) -> Iterator[Cell]:
        """Every subject of the policy with every named call: what is not listed must be denied."""
        model = self.model
        for name in model.subjects:
            self._find(name, ("subjects", name))
        for index, name in enumerate(model.without):
            self._find(name, ("without", index))
            if name in model.subjects:
                self._fail(("without", index), f"{name!r} stands under subjects as well", "delete one")
        for name, who in self._everybody.items():
            if name in model.without:
                continue
            row = model.subjects.get(name, _NOTHING)
            here: Place = ("subjects", name) if name in model.subjects else ("calls",)
            self._check_names(row, here)
            for call_name, text in model.calls.items():
                call = self._call(text, ("calls", call_name), _home(who, row.host))
                if call is not None and _makes(who, call):
                    yield self._cell(who, row, here, call_name, call)

    def _check_names(self, row: Row, here: Place) -> None:
        calls, listed = self.model.calls, [] if row.allow == "all" else row.allow
        named: dict[Place, str] = {(*here, "allow", index): name for index, name in enumerate(listed)}
        named |= {(*here, "deny", name): name for name in row.deny}
        for path, name in named.items():
            if name not in calls:
                self._fail(path, f"there is no call {name!r} under calls", nearest(name, calls))
        for name in row.deny:
            if row.allow == "all" or name in row.allow:
                self._fail((*here, "deny", name), f"{name!r} is listed as allowed as well", "delete one")

    def _cell(self, who: Known, row: Row, here: Place, call_name: str, call: Call) -> Cell:
        allow = row.allow == "all" or call_name in row.allow
        reason = row.deny.get(call_name)
        if reason is not None:
            position = self._document.position((*here, "deny", call_name))
        elif allow:
            listed = () if row.allow == "all" else (row.allow.index(call_name),)
            position = self._document.position((*here, "allow", *listed))
        else:
            position = self._document.key_position(("calls", call_name) if here == ("calls",) else here)
        is_listed = allow or reason is not None
        name, now = f"{who.name}: {printable(call_name)}", self.model.now
        return Cell(name, position, who, call, now, row.client, allow, reason, listed=is_listed)

    def _cases(self) -> Iterator[Cell]:
        """The single expectations, each subject with each call."""
        taken: Counter[str] = Counter()
        for index, case in enumerate(self.model.cases):
            position = self._document.position(("cases", index))
            now = self.model.now if case.now is None else case.now
            expected = case.expect == "allow", case.reason, case.rule, case.enforced, case.mode
            for subject in case.subject:
                who = self._find(subject, ("cases", index, "subject"))
                for text in case.call if who is not None else ():
                    written = self.model.calls.get(text, text)
                    call = self._call(written, ("cases", index, "call"), _home(who, case.host))
                    if who is None or call is None:
                        continue
                    if not _makes(who, call):
                        self._fail(("cases", index), f"{subject!r} is a {who.kind}, which makes no such call")
                        continue
                    name = f"{subject}: {printable(text)}"
                    taken[name] += 1
                    more = f" ({taken[name]})" if taken[name] > 1 else ""
                    yield Cell(f"case {name}{more}", position, who, call, now, case.client, *expected)

    def _find(self, name: str, path: Place) -> Known | None:
        who = self._everybody.get(name)
        if who is None:
            hint = nearest(name[:64], self._everybody)
            self._fail(path, f"the policy names nobody {quoted(name)}", hint)
        return who

    def _call(self, text: str, path: Place, at: Home) -> Call | None:
        """A call, read once for each home; None for one that can't be read, which is said once."""
        key = text, at
        if key not in self._read:
            try:
                self._read[key] = read_call(text, at)
            except CallError as error:
                self._read[key] = None
                if not any(other == text for other, home in self._read if home != at):
                    self._fail(path, error.message, error.hint)
        return self._read[key]


def _keys(path: Place) -> Iterable[str]:
    """The keys that may stand where an unknown one stands."""
    owner = Case if path[:1] == ("cases",) else Row if path[0] == "subjects" and len(path) > 1 else TestFile
    return owner.model_fields


def _home(who: Known | None, host: str | None) -> Home:
    own = Home() if who is None else home(who)
    return own if host is None else own._replace(host=host, workspace=None)


def _makes(who: Known, call: Call) -> bool:
    """Whether somebody makes such calls: a login only asks for tokens, tokens and people never do themselves."""
    if call.asked is None:
        return not isinstance(who.subject, Login)
    return who.kind in ("service principal", "login")
