"""databricks-sql-connector and Node's SDK with Azure's identities, by docs/clients/azure.yaml, through a real proxy."""

from __future__ import annotations

import pytest

from clients.installed import MODULES, PYTHON, need_program
from clients.roster import AZURE_CREDENTIALS, DRIVERS, NAMES, OPENSSL, OTHER_WAREHOUSE, WAREHOUSE
from clients.stage import Stage, outcome
from lab.workspace.entra import SECRET

pytestmark = pytest.mark.timeout(300)


def command(warehouse: str) -> tuple[str, ...]:
    return (str(PYTHON), str(DRIVERS / "sql_azure.py"), warehouse)


def test_the_connector_reaches_its_warehouse(stage: Stage) -> None:
    before = len(stage.decisions())
    done = stage.run(command(WAREHOUSE), OPENSSL, AZURE_CREDENTIALS)
    assert outcome(done) == {"value": [42]}, done.stderr
    decided = stage.decisions(before)
    denied = {(each["path"], each["reason"]) for each in decided if each["decision"] == "deny"}
    # It asks for a token of Databricks' own in exchange, which nobody allows here, and goes on with the one it has.
    assert denied == {("/oidc/v1/token", "grant_refused")}
    assert {each["subject"] for each in decided if each["reason"] == "allowed_by_rule"} == {"azure"}
    log = stage.proxy.audit_file.read_text() + stage.proxy.output
    assert SECRET not in log


def test_it_has_to_be_told_its_tenant(stage: Stage) -> None:
    """It looks for the tenant at ``//aad/auth``, which is no regular path."""
    before = len(stage.decisions())
    credentials = {name: text for name, text in AZURE_CREDENTIALS.items() if name != "ARM_TENANT_ID"}
    assert "error" in outcome(stage.run(command(WAREHOUSE), OPENSSL, credentials))
    decided = {(each["path"], each["decision"]) for each in stage.decisions(before)}
    assert decided == {("//aad/auth", "deny")}


def test_another_warehouse_is_refused_in_words(stage: Stage) -> None:
    before = len(stage.decisions())
    said = outcome(stage.run(command(OTHER_WAREHOUSE), OPENSSL, AZURE_CREDENTIALS))["error"]
    path = f"/sql/1.0/warehouses/{OTHER_WAREHOUSE}"
    (record,) = [each for each in stage.decisions(before) if each["path"] == path]
    assert record["subject"] == "azure"
    assert said.count("Brickscope denied") == 1
    assert f"(reason {record['reason']}, decision {record['decision_id']})" in said
    assert path not in {request["path"] for request in stage.workspace.requests()}


@pytest.mark.parametrize("wish", ["allowed", "refused"])
def test_the_sdk_with_a_managed_identity(wish: str, stage: Stage) -> None:
    """Its tokens come from the machine's own endpoint, past the proxy; its calls go by the rule set."""
    need_program("node")
    before = len(stage.decisions())
    host = {"DATABRICKS_HOST": AZURE_CREDENTIALS["DATABRICKS_HOST"]}
    settings = host | {"IDENTITY_PORT": str(stage.workspace.identity_port)}
    done = stage.run(
        ("node", str(MODULES.parent / "sdk_msi.mjs"), wish), ("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"), settings
    )
    said = outcome(done)
    (record,) = stage.decisions(before) or pytest.fail(str(said) + done.stderr)
    assert (record["subject"], "azure_resource" in record["principal"]) == ("azure", True)
    if wish == "allowed":
        assert said == {"value": NAMES}, done.stderr
    else:
        assert "Brickscope denied GET /api/2.0/sql/warehouses" in said["error"]
        assert record["decision_id"] in said["error"]
