"""The commands as a shell sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from audit.made_log import made_records, write_log
from brickscope.cli.main import main
from core import entra_tokens
from core.oauth import CLIENT_ID, key_set, signed
from core.wire import HOST
from lab.workspace.entra import APPLICATION, OBJECT, TENANT

TOKEN = "dapi0123456789abcdef0123456789abcdef"
FINGERPRINT = "sha256:" + sha256(TOKEN.encode()).hexdigest()


def run(*arguments: str, given: str | bytes = "") -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments, input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_fingerprint_from_standard_input(end: str) -> None:
    assert run("fingerprint", given=TOKEN + end) == (0, FINGERPRINT + "\n")


def test_lines_for_a_policy() -> None:
    status, output = run("fingerprint", "--yaml", "ci", "--rule-set", "reader", given=TOKEN)
    assert status == 0
    assert output == f"  ci:\n    fingerprint: {FINGERPRINT}\n    rule_set: reader\n"


@pytest.mark.parametrize(
    "given", ["", "\n", f"Bearer {TOKEN}", f"{TOKEN} ", f"{TOKEN}\n\n", f"a\n{TOKEN}", f"{TOKEN}\r", "\u00e9"]
)
def test_what_is_no_token_is_a_usage_error_without_its_text(given: str) -> None:
    status, output = run("fingerprint", given=given)
    assert status == 2
    assert TOKEN not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("arguments", [("--yaml", "a: b"), ("--yaml", "ci", "--rule-set", "-x")])
def test_lines_for_a_policy_need_names_that_a_policy_takes(arguments: tuple[str, ...]) -> None:
    assert run("fingerprint", *arguments, given=TOKEN)[0] == 2


def commands(of: click.Command, *path: str) -> Iterator[tuple[str, click.Parameter]]:
    """Every option and argument of the commands, with the words of its command."""
    if isinstance(of, click.Group):
        context = click.Context(of)
        for name in of.list_commands(context):
            found = of.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)
        return
    yield from ((" ".join(path), each) for each in of.params)


def test_every_number_that_a_command_takes_has_its_range() -> None:
    # --workers has a sentence of its own, by the supervisor.
    for command, each in commands(main):
        assert (
            not isinstance(each.type, click.types.IntParamType)
            or each.name == "workers"
            or isinstance(each.type, click.IntRange)
        ), (command, each.name)


SEARCH, TAIL = ("audit", "search"), ("audit", "tail", "--once")
LEARN, PRINT = ("learn", "--subject", "ci"), "dapi" + "0" * 32
# The words of a command, what is said of them, what to write.
OUTSIDE = {
    "fewer rows than none": (("audit", "summary", "--top", "-1"), "-1 is not in the range", "0<=x"),
    "fewer groups than none": (("audit", "denials", "--top", "-1"), "-1 is not in the range", "0<=x"),
    "fewer calls than none": ((*SEARCH, "--limit", "-1"), "-1 is not in the range", "0<=x"),
    "fewer lines than none": ((*TAIL, "-n", "-1"), "-1 is not in the range", "0<=x"),
    "more days than there are": (("audit", "unused", "--days", "9" * 12), "is not in the range", "x<=36500"),
    "a kind of record that is none": ((*SEARCH, "--event", "reloads"), "'reloads' is no event", "'reload'"),
    "the same while following": ((*TAIL, "--event", "nope"), "'nope' is no event", "one of decision, tunnel"),
    "a reason that is none": ((*SEARCH, "--reason", "no_rule"), "'no_rule' is no reason", "'no_rule_matches'"),
    "a method in small letters": ((*SEARCH, "--method", "get"), "'get' is no method", "one of DELETE, GET"),
    "an operation that is none": ((*SEARCH, "--operation", "jobs.runnow"), "is no operation", "'jobs.run_now'"),
    "an operation by its other name": ((*SEARCH, "--operation", "groups_v2.list"), "no operation", "'groups.list'"),
    "a fingerprint that is none": (("learn", "--fingerprint", PRINT), "a fingerprint is sha256:", "64 lower-case"),
    "a name that no policy takes": ((*LEARN, "--name", "a b"), "a name has letters", "at most 64"),
    "a workspace that is no number": (("explain", "--host-workspace", "x", "GET", "/"), "is a number", "such as"),
    "a domain with a blank": (("ca", "new", "--domain", "a b"), "'a b' is not a domain", "such as cloud."),
    "a hash that is none": (("audit", "verify", "--expect", f"1a2b3c4d:1:{'z' * 64}"), "INSTANCE:SEQ", "64 hex"),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_value_outside_its_range_or_list_is_refused_with_what_to_write(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, said, fix = OUTSIDE[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit.jsonl").touch()
    (tmp_path / "rules").mkdir()
    more = ("--confdir", str(tmp_path)) if arguments[0] == "ca" else ()
    status, output = run(*arguments, *more)
    assert status == 2
    assert said in output
    assert fix in output.partition(said)[2]
    assert PRINT not in output


def test_a_closed_standard_input_is_a_usage_error() -> None:
    program = f"exec {sys.executable} -c 'from brickscope.cli.main import main; main()' fingerprint <&-"
    source = str(Path(__file__).parents[2] / "addon")
    result = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source}
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_schema_that_is_no_text_differs(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(b"\xff")
    assert run("schema", "--check", str(tmp_path / "s.json"))[0] == 1


def test_a_token_is_never_an_argument() -> None:
    assert run("fingerprint", TOKEN)[0] == 2


def test_the_schema_and_its_check(tmp_path: Path) -> None:
    status, output = run("schema")
    assert status == 0
    (tmp_path / "s.json").write_text(output)
    assert run("schema", "--check", str(tmp_path / "s.json"))[0] == 0
    (tmp_path / "s.json").write_text(output + " ")
    status, output = run("schema", "--check", str(tmp_path / "s.json"))
    assert status == 1
    assert "brickscope schema" in output


@pytest.mark.parametrize("command", [(), ("fingerprint",), ("schema",)])
def test_help_has_examples(command: tuple[str, ...]) -> None:
    status, output = run(*command, "--help")
    assert status == 0
    assert "Examples:" in output


WHO = f"""\
version: 1
tokens:
  ci:
    fingerprint: {FINGERPRINT}
    rule_set: reader
    workspaces: [{HOST}]
service_principals:
  etl:
    client_id: {CLIENT_ID}
    rule_set: reader
issuers:
  ws:
    issuer: https://{HOST}/oidc
    keys_file: ws.jwks.json
rule_sets:
  reader:
    allow: [GET /x]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(WHO)
    (tmp_path / "ws.jwks.json").write_bytes(key_set())
    return tmp_path


def whoami(rules: Path, token: str | bytes, *more: str) -> tuple[int, dict[str, object]]:
    status, output = run("whoami", "--rules", str(rules), "--json", *more, given=token)
    return status, json.loads(output)


def test_whoami_names_the_subject_of_a_token(rules: Path) -> None:
    status, said = whoami(rules, TOKEN)
    assert (status, said["subject"], said["kind"], said["workspaces"]) == (0, "ci", "token", [HOST])
    status, output = run("whoami", "--rules", str(rules), given=TOKEN)
    assert output.startswith(
        "subject:      ci\nkind:         token\nwhy:          the policy names this fingerprint"
    )
    assert TOKEN not in output


def test_whoami_verifies_an_oauth_token(rules: Path) -> None:
    token = signed(exp=time.time() + 60, iat=time.time())
    status, said = whoami(rules, token)
    assert (status, said["subject"], said["kind"]) == (0, "etl", "service principal")
    assert CLIENT_ID in str(said["why"])
    assert token.decode() not in json.dumps(said)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("dapi" + "f" * 32, "unknown_token"),
        (signed(), "token_not_yet_valid"),
        (signed(iat=0, exp=1), "token_expired"),
        (signed(iat=0, client_id="x", sub="x"), "unknown_principal"),
        (signed()[:-8] + b"AAAAAAAA", "bad_signature"),
        (signed(kid="other"), "unknown_key"),
        (signed(iss="https://["), "wrong_issuer"),
        ("eyJx", "malformed_token"),
    ],
)
def test_whoami_says_why_a_token_is_nobody(rules: Path, token: str | bytes, reason: str) -> None:
    status, said = whoami(rules, token)
    assert (status, said["subject"], said["reason"]) == (1, None, reason)


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    keys = f"tenant: {TENANT}\n    keys_file: entra.jwks.json\n"
    text = entra_tokens.POLICY.replace(f"tenant: {TENANT}\n", keys, 1)
    (tmp_path / "policy.yaml").write_text(text)
    (tmp_path / "entra.jwks.json").write_bytes(key_set())
    return tmp_path


def test_whoami_knows_tokens_of_entra_id(azure: Path) -> None:
    now = {"iat": time.time() - 9, "nbf": time.time() - 9, "exp": time.time() + 60}
    app = entra_tokens.token(entra_tokens.app_claims(**now))
    status, said = whoami(azure, app)
    assert (status, said["subject"], said["kind"]) == (0, "etl", "service principal")
    for each in (TENANT, OBJECT, APPLICATION):
        assert each in str(said["why"])
    person = entra_tokens.token(entra_tokens.person_claims("2.0", **now))
    assert whoami(azure, person)[1]["kind"] == "user"
    wrong = entra_tokens.token(entra_tokens.app_claims(aud="https://graph.microsoft.com", **now))
    assert whoami(azure, wrong)[1]["reason"] == "wrong_audience"
    assert whoami(azure, app, "--host", HOST)[1]["reason"] == "wrong_issuer"


def test_an_opaque_token_of_google_is_refused_with_words(rules: Path) -> None:
    for token in ("ya29.a0AfB_byC-abcdefghijklmnop", "ya29.c.b0AUFJQsGabcdefghijkl.x"):
        _, said = whoami(rules, token)
        assert said["reason"] == "unknown_principal"
        assert "use an ID token" in str(said["why"])


def test_the_fingerprint_of_an_oauth_token_comes_with_a_warning() -> None:
    status, output = run("fingerprint", given=signed())
    assert status == 0
    assert "identified by its claims, not by its fingerprint" in output


def test_whoami_binds_the_issuer_to_the_host(rules: Path) -> None:
    assert whoami(rules, signed(iat=0), "--host", "dbc-x.cloud.databricks.com")[1]["reason"] == "wrong_issuer"


def test_whoami_asks_no_host_that_is_not_databricks(rules: Path) -> None:
    status, output = run(
        "whoami", "--rules", str(rules), given=signed(iat=0, iss="https://evil.example.com/oidc")
    )
    assert status == 2
    assert "nothing was asked there" in output


def test_whoami_with_a_broken_policy_is_a_usage_error(rules: Path) -> None:
    (rules / "policy.yaml").write_text("version: 2\n")
    status, output = run("whoami", "--rules", str(rules), given=TOKEN)
    assert status == 2
    assert "version 1" in output


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--help",), id="little, from click"),
        pytest.param(("schema",), id="more than a buffer, from click"),
        pytest.param(("catalog", "search", "get"), id="much, by lines"),
        pytest.param(("catalog", "show", "jobs.run_now"), id="little, from rich"),
        pytest.param(("audit", "tail", "--once", "audit.jsonl"), id="of a file, whose errors are told apart"),
    ],
)
def test_a_reader_that_has_gone_ends_a_command_quietly(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """As ``| head`` does it. The status is that of a program that SIGPIPE ended, so that no check passes for it."""
    write_log(tmp_path, made_records(20))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        result = subprocess.run(
            [sys.executable, "-m", "brickscope", *arguments],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "addon")},
        )
    assert (result.returncode, result.stderr) == (141, "")


def test_what_the_encoding_of_the_terminal_lacks_is_spelled_out(tmp_path: Path) -> None:
    source = str(Path(__file__).parents[2] / "addon")
    for encoding, arguments, said in (
        ("latin-1", ("explain", "--help"), rb"dbc-\u2026."),
        ("utf-8:strict", ("init", "\udcff"), rb"\udcff/policy.yaml is a policy"),
    ):
        result = subprocess.run(
            [sys.executable, "-m", "brickscope", *arguments],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": encoding},
        )
        assert result.returncode == 0, result.stderr
        assert said in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "summary", "--csv", ""),
        ("audit", "search", "--parquet", ""),
        ("audit", "export", "--format", "ecs", "--out", ""),
    ],
)
def test_a_file_without_a_name_is_refused(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``--csv "$UNSET"`` gives it."""
    monkeypatch.chdir(tmp_path)
    write_log(tmp_path, made_records(20))
    status, output = run(*arguments)
    assert status == 2
    assert "give the name of a file" in output
    assert [each.name for each in tmp_path.iterdir()] == ["audit.jsonl"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("brickscope ", {"init", "proxy", "check", "client-env", "audit"}),
        ("brickscope audit ver", {"verify"}),
        ("brickscope check --fa", {"--fail-on"}),
        ("brickscope check --fail-on w", {"warning"}),
    ],
)
def test_shells_complete_commands_options_and_choices(
    words: str, offered: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_BRICKSCOPE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    result = CliRunner().invoke(main, prog_name="brickscope")
    assert offered <= {line.partition(",")[2] for line in result.output.splitlines()}
