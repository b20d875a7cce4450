"""Calls as people write them: read as the proxy would read the request, and without any secret."""

from __future__ import annotations

import json

import pytest

from brickscope.analysis.call import EXAMPLE_HOST, Call, Home, read_call
from brickscope.analysis.sent import CallError
from brickscope.core.body import read_body
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.policy import Grant
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
TOKEN = "dapi0123456789abcdef0123456789abcdef"
RUN = "/api/2.2/jobs/run-now"

# What is written: (method, host, path, query, body)
READ = {
    f"GET https://{HOST}/api/2.0/jobs/list?limit=5": ("GET", HOST, "/api/2.0/jobs/list", "limit=5", None),
    "GET /api/2.0/jobs/list": ("GET", EXAMPLE_HOST, "/api/2.0/jobs/list", None, None),
    f"https://{HOST}/api/2.0/jobs/list": ("GET", HOST, "/api/2.0/jobs/list", None, None),
    f"https://{HOST}": ("GET", HOST, "/", None, None),
    f'POST {RUN} {{"job_id": 7}}': ("POST", EXAMPLE_HOST, RUN, None, {"job_id": 7}),
    "jobs.run_now job_id=1012": ("POST", EXAMPLE_HOST, RUN, None, {"job_id": 1012}),
    "jobs.run_now {job_id: 1012}": ("POST", EXAMPLE_HOST, RUN, None, {"job_id": 1012}),
    "jobs.run_now {job_id: 1, queue.enabled: true}": (
        "POST",
        EXAMPLE_HOST,
        RUN,
        None,
        {"job_id": 1, "queue": {"enabled": True}},
    ),
    "workspace.list path=/Workspace/etl": (
        "GET",
        EXAMPLE_HOST,
        "/api/2.0/workspace/list",
        "path=%2FWorkspace%2Fetl",
        None,
    ),
    "files.download file_path=Volumes/main/a/b/c.csv": (
        "GET",
        EXAMPLE_HOST,
        "/api/2.0/fs/files/Volumes/main/a/b/c.csv",
        None,
        None,
    ),
    f"curl https://{HOST}/api/2.0/jobs/list": ("GET", HOST, "/api/2.0/jobs/list", None, None),
    f"curl -sSX DELETE {HOST}/api/2.0/x": ("DELETE", HOST, "/api/2.0/x", None, None),
    f"curl -G https://{HOST}/x -d a=1 -d b=2": ("GET", HOST, "/x", "a=1&b=2", None),
    f"curl -I https://{HOST}/x": ("HEAD", HOST, "/x", None, None),
    f"curl --json '{{\"job_id\": 7}}' https://{HOST}{RUN}": ("POST", HOST, RUN, None, {"job_id": 7}),
    f"curl --request PATCH --data-raw '{{\"a\": 1}}' --url https://{HOST}/x": (
        "PATCH",
        HOST,
        "/x",
        None,
        {"a": 1},
    ),
    f"curl -X POST \\\n  -H 'Authorization: Bearer {TOKEN}' \\\n  https://{HOST}{RUN} -d '{{\"job_id\": 7}}'": (
        "POST",
        HOST,
        RUN,
        None,
        {"job_id": 7},
    ),
    "curl -H 'Authorization: Bearer $DATABRICKS_TOKEN' $DATABRICKS_HOST/api/2.0/x": (
        "GET",
        EXAMPLE_HOST,
        "/api/2.0/x",
        None,
        None,
    ),
    "curl -n https://<workspace>/api/2.0/x?y=1": ("GET", EXAMPLE_HOST, "/api/2.0/x", "y=1", None),
}


@pytest.mark.parametrize("written", READ)
def test_a_call_is_read(written: str) -> None:
    call = read_call(written)
    request = call.request
    assert isinstance(request, ApiRequest), request
    body = json.loads(call.body) if call.body else None
    assert (request.method, request.host, request.path, request.query, body) == READ[written]
    assert request.may_have_body is bool(call.body)


def test_the_words_of_a_command_line_are_read_like_its_text() -> None:
    words = ["curl", "-X", "POST", f"https://{HOST}/x", "-d", '{"a": "b c"}']
    assert read_call(words) == read_call(f'curl -X POST https://{HOST}/x -d \'{{"a": "b c"}}\'')
    assert read_call(["jobs.run_now", "job_id=7"]) == read_call("jobs.run_now job_id=7")


def test_a_word_of_a_command_line_is_one_parameter_whatever_blanks_it_has() -> None:
    status = read_call(["workspace.get_status", "path=/Users/ada@x.org/My nb & x"])
    assert isinstance(status.request, ApiRequest)
    assert status.request.query == "path=%2FUsers%2Fada%40x.org%2FMy%20nb%20%26%20x"
    statement = ["statement_execution.execute_statement", 'statement=SELECT 1 AS "a"', "warehouse_id=ab"]
    assert json.loads(read_call(statement).body) == {"statement": 'SELECT 1 AS "a"', "warehouse_id": "ab"}
    assert json.loads(read_call(["jobs.run_now", "{job_id:", "7}"]).body) == {"job_id": 7}


def test_a_form_of_curl_is_one_call_of_its_fields() -> None:
    call = read_call(f"curl -F path=/Shared/x -F content=@x.py --form-string a=@b https://{HOST}/x")
    assert isinstance(call.request, ApiRequest)
    assert call.request.method == "POST"
    assert read_body(call.request, call.body) == {"path": "/Shared/x", "content": [[]], "a": "@b"}


FLAWED = {
    f"GET https://{HOST}/a/../b": Reason.PATH_NOT_CANONICAL,
    f"GET https://{HOST}//a": Reason.PATH_NOT_CANONICAL,
    "GET /a%252F..": Reason.PATH_NOT_CANONICAL,
    f"curl -b 'session=1' https://{HOST}/a": Reason.MULTIPLE_CREDENTIALS,
    f"curl -H 'X-HTTP-Method-Override: DELETE' https://{HOST}/a": Reason.HEADER_FORBIDDEN,
}


@pytest.mark.parametrize("written", FLAWED)
def test_what_no_rule_can_allow_is_read_with_its_flaw(written: str) -> None:
    request = read_call(written).request
    assert isinstance(request, ApiRequest)
    assert request.flaw is not None
    assert request.flaw.reason is FLAWED[written]


REFUSED = {
    "get /a": Reason.METHOD_NOT_CANONICAL,
    f"GET http://{HOST}/a": Reason.NOT_ENCRYPTED,
    f"GET https://{HOST}:8443/a": Reason.PORT_NOT_ALLOWED,
    f"GET /a?access_token={TOKEN}": Reason.MULTIPLE_CREDENTIALS,
    f"curl -H 'Authorization: Bearer a b' https://{HOST}/a": Reason.MALFORMED_CREDENTIAL,
    f"curl -u alice:{TOKEN} https://{HOST}/a": Reason.UNSUPPORTED_CREDENTIAL,
    f"curl -H 'Authorization: Bearer {TOKEN}' -u token:{TOKEN} https://{HOST}/a": Reason.MULTIPLE_CREDENTIALS,
    f"curl -d 'grant_type=password&password=hunter2' https://{HOST}/oidc/v1/token": Reason.GRANT_REFUSED,
    f"POST https://{HOST}/oidc/v2/token": Reason.GRANT_REFUSED,
    "GET https://10.0.0.1/a": Reason.HOST_MISMATCH,
}


@pytest.mark.parametrize("written", REFUSED)
def test_what_the_proxy_would_refuse_for_its_shape_is_refused_with_the_same_reason(written: str) -> None:
    request = read_call(written).request
    assert isinstance(request, Refused)
    assert request.reason is REFUSED[written]


WRONG = {
    "": "there is no call",
    "jobs.run_nwo job_id=1": "did you mean 'jobs.run_now'",
    "jobs.run_now jobid=1": "did you mean 'job_id'",
    "jobs.run_now {job_id: 1": "can't be read",
    "jobs.run_now job_id=1 job_id=2": "each once",
    "jobs.run_now 7": "write job_id=1012",
    "files.download": "needs the parameter 'file_path'",
    "warehouses.get id=a/b": "it is 1 segment of the path",
    "oidc.token grant=magic": "client_credentials",
    "something else": "is no call",
    "curl": "one URL, this one has 0",
    "curl https://a/x https://b/y": "one URL, this one has 2",
    "curl 'https://a/x": "not closed",
    "curl --no-such-thing https://a/x": "'--no-such-thing' is not known here",
    "curl -d @job.json https://a/x": "write the body out",
    "curl -T big.bin https://a/x": "sends a file",
    "curl -F 'path=<name.txt' https://a/x": "write the body out",
    "GET https://user:pass@host/x": "has a user in it",
    "GET https://host:x/x": "no number",
}


@pytest.mark.parametrize("written", WRONG)
def test_what_can_not_be_understood_is_an_error_that_says_what_to_write(written: str) -> None:
    with pytest.raises(CallError) as error:
        read_call(written)
    assert WRONG[written] in str(error.value)


SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
HOLDS_SECRETS = [
    f"curl -H 'Authorization: Bearer {TOKEN}' https://{HOST}/a",
    f"curl -u token:{TOKEN} https://{HOST}/a",
    f"curl --oauth2-bearer {TOKEN} https://{HOST}/a",
    f"curl https://{HOST}/{TOKEN}",
    f"curl https://{HOST}/a?x={TOKEN}",
    f'curl https://{HOST}/a -d \'{{"x": "{TOKEN}"}}\'',
    f"curl -u client:{SECRET} -d grant_type=client_credentials https://{HOST}/oidc/v1/token",
    f"curl -d 'grant_type=client_credentials&client_id=etl&client_secret={SECRET}' https://{HOST}/oidc/v1/token",
    f"curl -d 'grant_type=refresh_token&refresh_token={SECRET}' https://{HOST}/oidc/v1/token",
]


@pytest.mark.parametrize("written", HOLDS_SECRETS)
def test_a_secret_in_it_is_not_kept(written: str) -> None:
    call = read_call(written)
    in_path_or_body = written in HOLDS_SECRETS[3:6]  # what is judged has to be there; it is not what is shown
    shown = call.text if in_path_or_body else repr(call)
    assert TOKEN not in shown
    assert SECRET not in shown
    if "/oidc/" in written:
        assert call.body == b""


def test_a_token_in_it_leaves_its_fingerprint() -> None:
    for written in HOLDS_SECRETS[:3]:
        assert read_call(written).fingerprint == fingerprint(TOKEN.encode())


def test_a_token_request_is_read_for_its_grant_and_client() -> None:
    client = Home(HOST, None, "etl-client")
    for written in (
        "oidc.token grant=client_credentials",
        f"curl -u etl-client:{SECRET} -d grant_type=client_credentials https://{HOST}/oidc/v1/token",
    ):
        asked = read_call(written, client).asked
        assert asked is not None
        assert (asked.grant, asked.client_id) == (Grant.CLIENT_CREDENTIALS, "etl-client")
    other = read_call("oidc.token {grant: refresh, client_id: databricks-cli}", client).asked
    assert other is not None
    assert (other.grant, other.client_id) == (Grant.REFRESH, "databricks-cli")


def test_a_bare_path_goes_to_the_home_of_the_subject() -> None:
    home = Home("acme.databricks.com", "123")
    assert read_call("GET /a", home).text == "GET https://acme.databricks.com/a?o=123"
    assert read_call("jobs.list limit=5", home).text.endswith("?limit=5&o=123")
    assert read_call("GET /a?o=7", home).text.endswith("/a?o=7")
    assert read_call(f"GET https://{HOST}/a", home).text == f"GET https://{HOST}/a"


def test_what_is_shown_can_not_forge_a_line() -> None:
    call: Call = read_call('POST /a {"x": "\x1b[2J\n\u202e"}')
    assert call.text.isprintable()
    assert call.text.isascii()
