"""The clients that are installed on this host, each run once with a call that has no token.

What a client does is a fact; what its variables let one expect is an opinion. Only of Go there is no small program to run:
Terraform and the Databricks CLI make no call without a credential, so their variables are judged.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from brickscope.host.proxy_url import ProxyUrl
from brickscope.host.stack import find_stack

from .way import PATH

SECONDS = 40
"""For one program with all its calls; a Java on a busy machine takes many of them to start."""
_FOLDER = Path(__file__).parent
_UNTRUSTED = re.compile(
    r"certificate.verify.failed|SSL certificate problem|unable to (get|verify)|self.?signed|PKIX|cert.?path|"
    r"CERT_HAS_EXPIRED|trustAnchors|UNABLE_TO_|error setting certificate|invalid path|CA certificate bundle|No such file",
    re.I,
)


class Kind(Enum):
    """``THROUGH``: Brickscope answered. ``OTHER``: something else did. ``UNTRUSTED``: the client does not trust
    what it was shown. ``FAILED``: no answer. ``JUDGED``: not run."""

    THROUGH = "through"
    OTHER = "other"
    UNTRUSTED = "untrusted"
    FAILED = "failed"
    JUDGED = "judged"


class Outcome(NamedTuple):
    """``stack``: of ``clients.stack``. ``program``: what ran, for people. ``told``: what it said. ``reads_proxy``: False for
    a Node that has no proxy variables."""

    stack: str
    program: str
    kind: Kind
    told: str = ""
    reads_proxy: bool = True


class Calls(NamedTuple):
    """What to call, from where. ``wanted``: stacks; empty for all. ``pythons``: interpreters to look into."""

    host: str
    proxy: ProxyUrl
    environment: Mapping[str, str]
    wanted: frozenset[str]
    pythons: Sequence[str]

    @property
    def url(self) -> str:
        """What is called; Brickscope denies it in every mode."""
        return f"https://{self.host}{PATH}"

    def find(self, program: str) -> str | None:
        """The path of a program, as the user's shell would find it."""
        return shutil.which(program, path=self.environment.get("PATH", os.defpath))


def run_clients(calls: Calls) -> list[Outcome]:
    """Every client that is found, each in its time limit, two at a time."""
    tasks = [partial(_python, calls, python) for python in calls.pythons]
    for stack, program, run in (
        ("curl", "curl", _curl),
        ("node", "node", _node),
        ("java", "java", _java),
    ):
        path = calls.find(program)
        if path and (not calls.wanted or stack in calls.wanted):
            tasks.append(partial(run, calls, path))
    if not calls.wanted or "go" in calls.wanted:
        tasks.append(partial(_go, calls))
    with ThreadPoolExecutor(2) as pool:
        return [outcome for found in pool.map(lambda task: list(task()), tasks) for outcome in found]


def find_pythons(environment: Mapping[str, str], given: Sequence[str] = ()) -> list[str]:
    """The interpreters to look into: those that were given; else the active one and the one that runs this."""
    if given:
        # Whole, since they are run in another folder. Links stay: that of a virtual environment is what makes it one.
        return list(dict.fromkeys(os.path.abspath(each) if os.sep in each else each for each in given))  # noqa: PTH100
    path = environment.get("PATH", os.defpath)
    active = environment.get("VIRTUAL_ENV")
    own = Path(active, "Scripts" if os.name == "nt" else "bin", "python") if active else None
    candidates = [
        str(own) if own and own.exists() else None,
        shutil.which("python3", path=path),
        sys.executable,
    ]
    return list(dict.fromkeys(each for each in candidates if each))


def _run(calls: Calls, command: Sequence[str], **more: str) -> tuple[int | None, str, str]:
    """Status (None: it did not end in time), output and errors of a program, in the user's environment without secrets."""
    environment = {
        name: value for name, value in calls.environment.items() if not name.startswith("DATABRICKS_")
    }
    with tempfile.TemporaryDirectory() as folder:  # Python and Node look for modules where they start
        try:
            done = subprocess.run(
                command,
                env=environment | {"NETRC": os.devnull} | more,
                capture_output=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, "", f"did not finish within {SECONDS} s"
        except OSError as error:
            return None, "", f"does not run: {error.strerror}"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def _curl(calls: Calls, path: str) -> Iterator[Outcome]:
    # -q: a .curlrc may hold a user, a header with a token or .netrc, which must not be sent.
    status, out, err = _run(calls, [path, "-q", "-sS", "-m", "10", "-o", os.devnull, "-D", "-", calls.url])
    found = re.search(r"^x-brickscope-reason: *(\S+)", out, re.M | re.I)
    answers = re.findall(r"^HTTP/\S+ (\d+)", out, re.M)
    if found:
        yield Outcome("curl", "curl", Kind.THROUGH, found[1])
    elif status in (60, 77):
        yield Outcome("curl", "curl", Kind.UNTRUSTED, _line(err))
    elif status == 0 and answers:
        yield Outcome("curl", "curl", Kind.OTHER, f"HTTP {answers[-1]}")
    else:
        yield Outcome("curl", "curl", Kind.FAILED, _line(err))


def _python(calls: Calls, path: str) -> Iterator[Outcome]:
    probe = (_FOLDER / "python_probe.py").read_text(encoding="utf-8")
    status, out, err = _run(calls, [path, "-c", probe, calls.url, ",".join(sorted(calls.wanted))])
    try:
        said: dict[str, Any] = json.loads(out)
        stacks, clients = said["stacks"].items(), said["clients"]
    except (ValueError, KeyError):
        yield Outcome("requests", path, Kind.FAILED, _line(err) or f"ended with status {status}")
        return
    for name, found in stacks:
        stack = find_stack(name)
        users = [
            f"{client} {number}"
            for client, number in clients.items()
            if stack and client.removesuffix("-skinny") in stack.serves and client not in stack.packages
        ]
        shown = f"{path}, {', '.join(users)}" if users else path
        yield _read(name, f"{name} {found['version']} ({shown})", found)


def _node(calls: Calls, path: str) -> Iterator[Outcome]:
    probe = (_FOLDER / "node_probe.js").read_text(encoding="utf-8")
    status, out, err = _run(
        calls,
        [path, "-e", probe],
        BRICKSCOPE_DOCTOR_URL=calls.url,
        BRICKSCOPE_DOCTOR_PROXY=calls.proxy.url,
    )
    try:
        found: dict[str, Any] = json.loads(out)
    except ValueError:
        yield Outcome("node", "Node", Kind.FAILED, _line(err) or f"ended with status {status}")
        return
    read = _read("node", f"Node {found['version']}", found)
    yield read._replace(reads_proxy=bool(found["readsVariables"]))


def _java(calls: Calls, path: str) -> Iterator[Outcome]:
    """keytool fetches a list of revoked certificates from a URL with Java's own proxy and trust, in every runtime."""
    home = Path(path).resolve().parent
    keytool = home / ("keytool.exe" if os.name == "nt" else "keytool")
    if not keytool.is_file():
        return
    status, out, err = _run(calls, [str(keytool), "-J-Duser.language=en", "-printcrl", "-file", calls.url])
    said = out + err
    answered = re.search(r"HTTP response code: (\d+)|FileNotFoundException", said)
    # keytool tells the status only; that it came through the proxy follows from the option that sends it there.
    options = calls.environment.get("JAVA_TOOL_OPTIONS", "")
    if answered and answered[1] == "403" and f"-Dhttps.proxyHost={calls.proxy.host}" in options:
        yield Outcome("java", "Java", Kind.THROUGH, "HTTP 403")
    elif answered or status == 0:
        yield Outcome("java", "Java", Kind.OTHER, _line(said, "keytool error"))
    elif _UNTRUSTED.search(said):
        yield Outcome("java", "Java", Kind.UNTRUSTED, _line(said, "keytool error"))
    else:
        yield Outcome("java", "Java", Kind.FAILED, _line(said, "keytool error"))


def _go(calls: Calls) -> Iterator[Outcome]:
    programs = [name for name in ("databricks", "terraform") if calls.find(name)]
    if programs or "go" in calls.wanted:
        yield Outcome("go", " and ".join(programs) or "Go", Kind.JUDGED)


def _read(stack: str, program: str, found: Mapping[str, Any]) -> Outcome:
    error = found.get("error")
    if error is not None:
        kind = Kind.UNTRUSTED if _UNTRUSTED.search(str(error)) else Kind.FAILED
        return Outcome(stack, program, kind, _line(str(error)))
    if found.get("reason"):
        return Outcome(stack, program, Kind.THROUGH, str(found["reason"]))
    return Outcome(stack, program, Kind.OTHER, f"status {found.get('status')}")


def _line(text: str, begin: str = "") -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = next((line for line in lines if begin and line.startswith(begin)), lines[0] if lines else "")
    return chosen[:300]
