"""brickscope doctor and settings beside the usual variables: VS Code's, a managed identity's, those that nobody reads."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from e2e.doctor_host import Host, detail, mended, problems
from e2e.gate import HOST

# Programs start slowly where other tests run; nothing here rests on time.
pytestmark = pytest.mark.timeout(600)
METADATA = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x"


def vs_code(host: Host, text: str, *, extension: bool = True) -> Path:
    """Its settings; and the Databricks extension, which makes it a client."""
    file = host.home / ".config" / "Code" / "User" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    if extension:
        (host.home / ".vscode" / "extensions" / "databricks.databricks-2.10.0").mkdir(parents=True)
    return file


# settings.json, {} for the proxy; what is said of it.
SETTINGS = {
    "another proxy": ('{"http.proxy": "http://10.9.9.9:3128"}', "http.proxy is http://10.9.9.9:3128"),
    "with comments and a last comma": (
        '{ // the company\'s\n  "editor.fontSize": 12, /* "http.proxy": "{}" */\n  "http.proxy" : "http://a:1", }',
        "http.proxy is http://a:1",
    ),
    "switched off": ('{"http.proxySupport": "off"}', 'http.proxySupport is "off"'),
    "with a password": (
        '{"http.proxy": "http://me:s3cret@10.9.9.9:3128"}',
        "http.proxy is http://me:***@10.9",
    ),
}


@pytest.mark.parametrize(("text", "said"), SETTINGS.values(), ids=SETTINGS)
def test_vs_codes_own_setting_is_named_and_its_line_mends_it(host: Host, text: str, said: str) -> None:
    file = vs_code(host, text.replace("{}", host.proxy))
    report = host.doctor("--client vscode", host.good())
    assert problems(report) == ["vscode"], report
    assert f"{file}: {said}" in detail(report, "vscode")
    assert "s3cret" not in json.dumps(report)
    mended(host, report, "--client vscode", host.good())


def test_vs_code_leads_past_the_proxy(host: Host) -> None:
    vs_code(host, json.dumps({"http.proxy": host.proxy, "http.noProxy": ["localhost", ".databricks.com"]}))
    report = host.doctor("--client vscode", host.good())
    assert problems(report) == ["vscode"]
    assert "http.noProxy bypasses the proxy: .databricks.com; take it out" in detail(report, "vscode")


def test_vs_code_that_is_right_or_has_nothing_of_its_own(host: Host) -> None:
    report = host.doctor("--client vscode", host.good())
    assert report["healthy"]
    assert "goes by the variables it is started with" in detail(report, "vscode")
    vs_code(host, json.dumps({"http.proxy": f"{host.proxy}/", "http.noProxy": ["localhost"]}))
    report = host.doctor("--client vscode", host.good())
    assert report["healthy"], report
    assert f"http.proxy is {host.proxy}" in detail(report, "vscode")


def test_vs_code_matters_to_who_has_databricks_in_it(host: Host) -> None:
    vs_code(host, '{"http.proxy": "http://10.9.9.9:3128"}', extension=False)
    report = host.doctor("", host.good("--java-truststore", "clients.p12"))
    (said,) = [check for check in report["checks"] if check["name"] == "vscode"]
    assert said["status"] == "note"
    (host.home / ".vscode-server" / "extensions" / "databricks.databricks-2.10.0").mkdir(parents=True)
    assert problems(host.doctor("", host.good("--java-truststore", "clients.p12"))) == ["vscode"]


def test_a_file_that_is_no_settings(host: Host) -> None:
    vs_code(host, "{'http.proxy'")
    report = host.doctor("--client vscode", host.good())
    assert report["healthy"]
    assert "can't be read" in detail(report, "vscode")


def test_a_managed_identity_is_kept_from_its_endpoint(host: Host) -> None:
    """As the proxy's answer shows: HTTP_PROXY leads the call there, and the line of doctor leads it past."""
    before = f"{host.good()}; export HTTP_PROXY={host.proxy} http_proxy={host.proxy} NO_PROXY=localhost"
    note = host.doctor(before=before)
    assert note["healthy"], note
    assert "169.254.169.254" in detail(note, "managed_identity")
    report = host.doctor(before=before, ARM_USE_MSI="true")
    assert problems(report) == ["managed_identity"]
    assert report["fixes"] == [
        "export NO_PROXY=localhost,169.254.169.254; export no_proxy=localhost,169.254.169.254"
    ]
    asks = f"curl -sS -m 2 -H Metadata:true {shlex.quote(METADATA)}"
    refused = host.run(f"{before}; {asks}")
    assert "169.254.169.254" in refused.stdout
    assert "NO_PROXY" in refused.stdout, "whoever meets the refusal learns what to set"
    past = host.run(f"{before}; {report['fixes'][0]}; {asks}")
    assert "Brickscope" not in past.stdout
    mended(host, report, before=before, ARM_USE_MSI="true")


def test_an_endpoint_on_the_machine_by_https(host: Host) -> None:
    """Service Fabric's; HTTPS_PROXY alone leads it astray, so client-env sets NO_PROXY with it."""
    settings = {"IDENTITY_ENDPOINT": "https://10.0.0.4:2377/metadata/identity/oauth2/token"}
    before = f"export HTTPS_PROXY={host.proxy}; {host.good()}; unset NO_PROXY no_proxy"
    report = host.doctor(before=before, **settings)
    assert problems(report) == ["managed_identity"]
    mended(host, report, before=before, **settings)
    assert host.doctor(before=host.good(), NO_PROXY="localhost", **settings)["healthy"]
    shown = host.run(f'{host.good()}; echo "$NO_PROXY $no_proxy"', NO_PROXY="localhost", **settings)
    assert shown.stdout == "localhost,10.0.0.4 localhost,10.0.0.4\n"
    assert host.run(f'{host.good()}; echo "$NO_PROXY"').stdout == "\n"


@pytest.mark.parametrize(
    ("client", "wrong"),
    [
        ("curl", "export grpc_proxy=http://127.0.0.1:1"),
        ("curl", f"export no_grpc_proxy={HOST}"),
        ("go", "export https_proxy=http://127.0.0.1:1"),  # it reads HTTPS_PROXY first
        ("curl", f"export NO_PROXY={HOST} no_proxy=localhost"),  # it reads no_proxy first
        ("go", f"export NO_PROXY=localhost no_proxy={HOST}"),
        ("curl", "export MLFLOW_TRACKING_SERVER_CERT_PATH=/no/such/file"),
        ("curl", "unset NODE_EXTRA_CA_CERTS GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"),
        ("curl", "export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=/no/such/file"),
    ],
)
def test_what_no_client_of_this_user_reads_is_a_note(host: Host, client: str, wrong: str) -> None:
    report = host.doctor(f"--client {client}", f"{host.good()}; {wrong}")
    assert report["healthy"], report
    if wrong.startswith("export"):
        assert "no client here" in json.dumps(report)
