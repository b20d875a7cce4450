"""The clients that are proven: how each is run, what it needs to be told, what arrives and what its user sees.

``docs/compatibility.md`` is made from this table (``python -m clients.compatibility``), and ``test_real_clients.py`` runs
all of it, each client by the rule set of its own name in ``docs/clients``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from clients.installed import AGENTS, MODULES, PIPELINES, PYTHON, WANTED
from e2e.gate import CATALOGS, HOST, WAREHOUSES
from lab.workspace import entra
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET, INGEST_ID
from lab.workspace.server import ZEROBUS

DRIVERS = WANTED / "drivers"
WAREHOUSE, OTHER_WAREHOUSE = "475b94ddc7cd5211", "0123456789abcdef"
JOB, OTHER_JOB = "77", "78"
CLUSTER, OTHER_CLUSTER = "0921-100000-abcdefgh", "0921-999999-zzzzzzzz"
NAMES = ["main", "samples"]
ROWS = 2_500
SERVER, CHAT = "/api/2.0/mcp/functions/main/tools", "/serving-endpoints/chat/completions"
STREAM, INGEST = "/databricks.zerobus.Zerobus/EphemeralStream", f"https://1234567890123456.{ZEROBUS}"
PRINCIPALS = {"service-principal": CLIENT_ID, "zerobus": INGEST_ID}
"""The client ids of the rule sets that belong to service principals."""
AZURE_CREDENTIALS = {
    "DATABRICKS_HOST": f"https://{entra.HOST}",
    "DATABRICKS_AZURE_RESOURCE_ID": entra.RESOURCE_ID,
    "ARM_CLIENT_ID": entra.APPLICATION,
    "ARM_CLIENT_SECRET": entra.SECRET,
    "ARM_TENANT_ID": entra.TENANT,
}
TOOLS = {"tools": ["find", "drop"], "found": "order 7"}


class Client(NamedTuple):
    """One row of the table.

    ``package``: where its version is from: a package of the registries, or ``program:NAME``. ``rule_set``: the file of
    docs/clients, and the token's name. ``protocol``: what it speaks inside the tunnel. ``settings``: the variables that
    it needs, all that it is given. ``allowed``, ``refused``: the commands. ``value``: what the allowed one prints.
    ``path``: what is refused. ``shown``: where its user finds the message, ``repeats``: how often it stands there, ``kind``:
    the class of the error. ``oauth``: as the service principal. ``refused_as``: the rule set of the token that is refused,
    if it is another. ``told``: what the table says of the settings, where it is more than variables.
    ``azure``: as an application of Entra ID. ``session``: whether it
    calls the path for other things as well, before and after.
    """

    name: str
    package: str
    rule_set: str
    protocol: str
    settings: tuple[str, ...]
    allowed: tuple[str, ...]
    refused: tuple[str, ...]
    value: Any
    path: str
    shown: str
    kind: str | None = None
    oauth: bool = False
    refused_as: str | None = None
    told: str = ""
    repeats: int = 1
    session: bool = False
    azure: bool = False

    def credentials(self, *, allowed: bool) -> dict[str, str]:
        """How the client is told who it is."""
        host = {"DATABRICKS_HOST": f"https://{HOST}"}
        if self.azure:
            return AZURE_CREDENTIALS
        subject = self.rule_set if allowed else self.refused_as or self.rule_set
        if self.oauth:
            principal = {"DATABRICKS_CLIENT_ID": PRINCIPALS[subject]}
            return host | principal | {"DATABRICKS_CLIENT_SECRET": CLIENT_SECRET}
        return host | {"DATABRICKS_TOKEN": token_of(subject)}


def token_of(rule_set: str) -> str:
    """The token of a rule set of docs/clients: nobody's, but known here."""
    return "dapi" + sha256(rule_set.encode()).hexdigest()[:32]


def _python(driver: str, *arguments: str) -> tuple[str, ...]:
    return (str(PYTHON), str(DRIVERS / f"{driver}.py"), *arguments)


def _agent(driver: str, *arguments: str) -> tuple[str, ...]:
    return (str(AGENTS), str(DRIVERS / f"{driver}.py"), *arguments)


def _pipeline(driver: str, *arguments: str) -> tuple[str, ...]:
    return (str(PIPELINES), str(DRIVERS / f"{driver}.py"), *arguments)


def _node(driver: str, *arguments: str) -> tuple[str, ...]:
    # A module finds its packages beside itself, so the driver is run from where they are.
    return ("node", str(MODULES.parent / f"{driver}.mjs"), *arguments)


def _curl(version: str, path: str) -> tuple[str, ...]:
    write = ["--silent", "--show-error", "--write-out", "\n%{http_version} %{http_code}"]
    bearer = ["--header", f"Authorization: Bearer {token_of('http-client')}"]
    return ("curl", version, *write, *bearer, f"https://{HOST}{path}")


GO_PROGRAM = "rest-go"
"""Stands for what rest.go is compiled to."""
REQUESTS = ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE")
OPENSSL = ("HTTPS_PROXY", "SSL_CERT_FILE")
DBT_SETTINGS = (*OPENSSL, "REQUESTS_CA_BUNDLE")
"""Those of dbt, which is tested apart (``test_dbt.py``)."""

CLIENTS = (
    Client(
        "databricks-sdk",
        "databricks-sdk",
        "databricks-sdk",
        "HTTP/1.1",
        REQUESTS,
        _python("sdk", "allowed"),
        _python("sdk", "refused"),
        NAMES,
        WAREHOUSES,
        "`PermissionDenied`, the message",
        kind="PermissionDenied",
    ),
    Client(
        "databricks-sdk, OAuth M2M",
        "databricks-sdk",
        "service-principal",
        "HTTP/1.1",
        REQUESTS,
        _python("sdk", "allowed"),
        _python("sdk", "refused"),
        NAMES,
        WAREHOUSES,
        "`PermissionDenied`, the message",
        kind="PermissionDenied",
        oauth=True,
    ),
    Client(
        "databricks-sdk, Azure client secret",
        "databricks-sdk",
        "azure",
        "HTTP/1.1",
        REQUESTS,
        _python("sdk", "allowed"),
        _python("sdk", "refused"),
        NAMES,
        WAREHOUSES,
        "`PermissionDenied`, the message",
        kind="PermissionDenied",
        azure=True,
    ),
    Client(
        "databricks-sql-connector",
        "databricks-sql-connector",
        "sql-connector",
        "Thrift, HTTP/1.1",
        OPENSSL,
        _python("sql_connector", WAREHOUSE),
        _python("sql_connector", OTHER_WAREHOUSE),
        [42],
        f"/sql/1.0/warehouses/{OTHER_WAREHOUSE}",
        "the exception's message",
    ),
    Client(
        "databricks-connect",
        "databricks-connect",
        "databricks-connect",
        "gRPC, HTTP/2",
        ("https_proxy", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "REQUESTS_CA_BUNDLE"),
        _python("connect", CLUSTER, str(ROWS)),
        _python("connect", OTHER_CLUSTER, str(ROWS)),
        {"rows": ROWS, "sum": sum(range(ROWS))},
        "/api/2.1/clusters/get",
        "`PermissionDenied`, the message",
        kind="PermissionDenied",
    ),
    Client(
        "databricks-connect, gRPC refused",
        "databricks-connect",
        "databricks-connect",
        "gRPC, HTTP/2",
        ("https_proxy", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "REQUESTS_CA_BUNDLE"),
        _python("connect", CLUSTER, str(ROWS), "unchecked"),
        _python("connect", CLUSTER, str(ROWS), "unchecked"),
        {"rows": ROWS, "sum": sum(range(ROWS))},
        "/spark.connect.SparkConnectService/Config",
        "`SparkConnectGrpcException`, the message",
        kind="SparkConnectGrpcException",
        refused_as="http-client",
        repeats=2,
    ),
    Client(
        "mlflow-skinny",
        "mlflow-skinny",
        "mlflow",
        "HTTP/1.1",
        REQUESTS,
        _python("mlflow_tracking", "allowed"),
        _python("mlflow_tracking", "refused"),
        {"loss": 0.25},
        "/api/2.0/mlflow/experiments/delete",
        "`RestException`, the message",
        kind="RestException",
    ),
    Client(
        "delta-sharing",
        "delta-sharing",
        "delta-sharing",
        "HTTP/1.1",
        (*REQUESTS, "SSL_CERT_FILE"),
        _python("sharing", "m1"),
        _python("sharing", "m2"),
        {"shares": ["sales"], "ids": [1, 2, 3]},
        "/api/2.0/delta-sharing/metastores/m2/shares",
        "`HTTPError`, the message",
        kind="HTTPError",
    ),
    Client(
        "mcp",
        "mcp",
        "mcp",
        "HTTP/1.1",
        OPENSSL,
        _agent("mcp_client", "allowed"),
        _agent("mcp_client", "refused"),
        TOOLS,
        SERVER,
        "`McpError`, the message",
        kind="McpError",
        session=True,
    ),
    Client(
        "databricks-mcp",
        "databricks-mcp",
        "mcp",
        "HTTP/1.1",
        (*OPENSSL, "REQUESTS_CA_BUNDLE"),
        _agent("databricks_mcp_client", "allowed"),
        _agent("databricks_mcp_client", "refused"),
        TOOLS,
        SERVER,
        "`McpError` inside the `ExceptionGroup`, the message",
        kind="McpError",
        session=True,
    ),
    Client(
        "databricks-openai",
        "databricks-openai",
        "models",
        "HTTP/1.1",
        (*OPENSSL, "REQUESTS_CA_BUNDLE"),
        _agent("models_openai", "small"),
        _agent("models_openai", "large"),
        ["hello from small", "hello from small"],
        CHAT,
        "`PermissionDeniedError`, the message",
        kind="PermissionDeniedError",
    ),
    Client(
        "databricks-langchain",
        "databricks-langchain",
        "models",
        "HTTP/1.1",
        (*OPENSSL, "REQUESTS_CA_BUNDLE"),
        _agent("models_langchain", "small"),
        _agent("models_langchain", "large"),
        "hello from small",
        CHAT,
        "`PermissionDeniedError`, the message",
        kind="PermissionDeniedError",
    ),
    Client(
        "pyiceberg",
        "pyiceberg",
        "pyiceberg",
        "HTTP/1.1",
        REQUESTS,
        _agent("iceberg", "allowed"),
        _agent("iceberg", "refused"),
        ["sales", "hr"],
        "/api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces",
        "`ForbiddenError`, the message",
        kind="ForbiddenError",
    ),
    Client(
        "databricks-ai-search",
        "databricks-ai-search",
        "ai-search",
        "HTTP/1.1",
        REQUESTS,
        _agent("ai_search", "main.docs.pages"),
        _agent("ai_search", "main.hr.pages"),
        [["p1", 0.5]],
        "/api/2.0/vector-search/indexes/main.hr.pages",
        "the exception's message",
    ),
    Client(
        "databricks-zerobus-ingest-sdk",
        "databricks-zerobus-ingest-sdk",
        "zerobus",
        "gRPC, HTTP/2",
        OPENSSL,
        _agent("zerobus_ingest", INGEST),
        _agent("zerobus_ingest", INGEST),
        [0, 1, 2],
        STREAM,
        "`NonRetriableException`, the message",
        kind="NonRetriableException",
        oauth=True,
        refused_as="service-principal",
    ),
    Client(
        "apache-airflow-providers-databricks",
        "apache-airflow-providers-databricks",
        "airflow",
        "HTTP/1.1",
        REQUESTS,
        _pipeline("airflow_run", JOB),
        _pipeline("airflow_run", OTHER_JOB),
        1,
        "/api/2.2/jobs/run-now",
        "the exception's message",
    ),
    Client(
        "dagster-databricks",
        "dagster-databricks",
        "dagster",
        "HTTP/1.1",
        REQUESTS,
        _pipeline("dagster_run", JOB),
        _pipeline("dagster_run", OTHER_JOB),
        True,
        "/api/2.2/jobs/run-now",
        "`PermissionDenied`, the message",
        kind="PermissionDenied",
    ),
    Client(
        "databricks-labs-lsql",
        "databricks-labs-lsql",
        "lsql",
        "HTTP/1.1",
        REQUESTS,
        _python("lsql", WAREHOUSE),
        _python("lsql", OTHER_WAREHOUSE),
        [42],
        "/api/2.0/sql/statements",
        "`PermissionDenied`, the message",
        kind="PermissionDenied",
    ),
    Client(
        "databricks-feature-engineering",
        "databricks-feature-engineering",
        "feature-engineering",
        "gRPC, HTTP/2",
        ("https_proxy", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "REQUESTS_CA_BUNDLE"),
        _python("feature_engineering", CLUSTER, "main.sales.old"),
        _python("feature_engineering", CLUSTER, "main.hr.old"),
        {"features": 0, "deleted": "main.sales.old"},
        "/api/2.0/feature-store/feature-spec/main.hr.old",
        "the exception's message",
    ),
    Client(
        "httpx, HTTP/1.1",
        "httpx",
        "http-client",
        "HTTP/1.1",
        OPENSSL,
        _python("rest_httpx", CATALOGS, "http1"),
        _python("rest_httpx", WAREHOUSES, "http1"),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
    ),
    Client(
        "httpx, HTTP/2",
        "httpx",
        "http-client",
        "HTTP/2",
        OPENSSL,
        _python("rest_httpx", CATALOGS, "http2"),
        _python("rest_httpx", WAREHOUSES, "http2"),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
    ),
    Client(
        "Node, fetch of undici",
        "undici",
        "http-client",
        "HTTP/1.1",
        ("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"),
        _node("rest", "undici", CATALOGS),
        _node("rest", "undici", WAREHOUSES),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
        told="`EnvHttpProxyAgent` of undici in the code; `HTTPS_PROXY`, `NODE_EXTRA_CA_CERTS`",
    ),
    Client(
        "Node, built-in fetch",
        "program:node",
        "http-client",
        "HTTP/1.1",
        ("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"),
        _node("rest", "fetch", CATALOGS),
        _node("rest", "fetch", WAREHOUSES),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
        told="`setGlobalDispatcher(new EnvHttpProxyAgent())` of undici; `HTTPS_PROXY`, `NODE_EXTRA_CA_CERTS`",
    ),
    Client(
        "@databricks/sql",
        "@databricks/sql",
        "sql-connector",
        "Thrift, HTTP/1.1",
        ("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"),
        _node("sql", WAREHOUSE),
        _node("sql", OTHER_WAREHOUSE),
        [42],
        f"/sql/1.0/warehouses/{OTHER_WAREHOUSE}",
        "`error.response.headers`, `x-thriftserver-error-message`; its own message says 403 only",
        told="option `proxy` of `connect()`; `NODE_EXTRA_CA_CERTS`",
    ),
    Client(
        "@databricks/sdk-experimental",
        "@databricks/sdk-experimental",
        "databricks-sdk",
        "HTTP/1.1",
        ("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"),
        _node("sdk", "allowed"),
        _node("sdk", "refused"),
        NAMES,
        WAREHOUSES,
        "the exception's message",
        told="option `agent` of the client, an `HttpsProxyAgent`; `NODE_EXTRA_CA_CERTS`",
    ),
    Client(
        "@databricks/ai-sdk-provider",
        "@databricks/ai-sdk-provider",
        "models",
        "HTTP/1.1",
        ("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"),
        _node("ai_sdk", "small"),
        _node("ai_sdk", "large"),
        ["hello from small"],
        CHAT,
        "`APICallError`, its `responseBody`",
        kind="AI_APICallError",
        told="option `fetch` of the provider, with `EnvHttpProxyAgent` of undici; `HTTPS_PROXY`, `NODE_EXTRA_CA_CERTS`",
    ),
    Client(
        "curl, HTTP/1.1",
        "program:curl",
        "http-client",
        "HTTP/1.1",
        ("HTTPS_PROXY", "CURL_CA_BUNDLE"),
        _curl("--http1.1", CATALOGS),
        _curl("--http1.1", WAREHOUSES),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
    ),
    Client(
        "curl, HTTP/2",
        "program:curl",
        "http-client",
        "HTTP/2",
        ("HTTPS_PROXY", "CURL_CA_BUNDLE"),
        _curl("--http2", CATALOGS),
        _curl("--http2", WAREHOUSES),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
    ),
    Client(
        "Java, HttpClient",
        "program:java",
        "http-client",
        "HTTP/2",
        ("JAVA_TOOL_OPTIONS",),
        ("java", str(DRIVERS / "Rest.java"), CATALOGS),
        ("java", str(DRIVERS / "Rest.java"), WAREHOUSES),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
        told="`JAVA_TOOL_OPTIONS` with `https.proxyHost`, `https.proxyPort`, `javax.net.ssl.trustStore`",
    ),
    Client(
        "Go, net/http",
        "program:go",
        "http-client",
        "HTTP/2",
        OPENSSL,
        (GO_PROGRAM, CATALOGS),
        (GO_PROGRAM, WAREHOUSES),
        NAMES,
        WAREHOUSES,
        "the answer's JSON",
    ),
)
