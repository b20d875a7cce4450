"""What each client reads to find its proxy and its CAs: a table of HTTP stacks, and the Databricks clients on each.

No variable is read by all. Each fact has its source in the client's own code or documentation (``sources``), and was seen
in a run where the program could be installed (tests/e2e/test_doctor_clients.py).
"""

from __future__ import annotations

from typing import NamedTuple


class Stack(NamedTuple):
    """One way to speak HTTPS. Of several variables, the first that is set counts.

    ``name``: what ``--client`` takes. ``serves``: clients that are built on it; ``--client`` takes them too.
    ``packages``: Python distributions by which it is found. ``proxy``, ``no_proxy``, ``ca``: variables. ``switch``: a
    variable that has to have a value before the proxy's variables count. ``settings``: what a program or its
    configuration can say instead. ``roots``: what is trusted without a variable.
    """

    name: str
    title: str
    serves: tuple[str, ...]
    packages: tuple[str, ...]
    proxy: tuple[str, ...]
    no_proxy: tuple[str, ...]
    ca: tuple[str, ...]
    roots: str
    settings: str
    sources: tuple[str, ...]
    switch: tuple[str, str] | None = None


STACKS: tuple[Stack, ...] = (
    Stack(
        "requests",
        "Python, requests",
        (
            "databricks-sdk",
            "mlflow",
            "delta-sharing",
            "dbt-databricks",
            "apache-airflow-providers-databricks",
            "dagster-databricks",
            "databricks-labs-lsql",
        ),
        ("requests",),
        # urllib.request.getproxies_environment: small letters win.
        ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        "certifi's file, not the system's",
        "mlflow: MLFLOW_TRACKING_SERVER_CERT_PATH goes before the variables; MLFLOW_TRACKING_INSECURE_TLS takes trust away",
        (
            "requests 2.33 sessions.py merge_environment_settings; utils.py get_environ_proxies",
            "mlflow 3.17 utils/rest_utils.py, environment_variables.py",
            "delta-sharing 1.4 rest_client.py",
        ),
    ),
    Stack(
        "httpx",
        "Python, httpx",
        ("openai", "databricks-openai", "mcp"),
        ("httpx",),
        ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("SSL_CERT_FILE", "SSL_CERT_DIR"),
        "certifi's file, not the system's",
        "`verify=`, `proxy=` of the client; `trust_env=False` makes it read no variable",
        ("httpx 0.28 _config.py create_ssl_context; _utils.py get_environment_proxies",),
    ),
    Stack(
        "sql-connector",
        "Python, databricks-sql-connector",
        ("databricks-sql-connector", "sqlalchemy-databricks", "dbt-databricks"),
        ("databricks-sql-connector",),
        ("https_proxy", "HTTPS_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("SSL_CERT_FILE", "SSL_CERT_DIR"),
        "OpenSSL's folder and file, as Python was built",
        "`_tls_trusted_ca_file=`; a handshake that fails is tried again for up to 15 minutes",
        (
            "databricks-sql-connector 4.9 common/unified_http_client.py, common/http_utils.py",
            "github.com/databricks/databricks-sql-python issues 22, 221, 347",
        ),
    ),
    Stack(
        "grpc",
        "Python, gRPC",
        ("databricks-connect", "pyspark-connect", "databricks-feature-engineering"),
        ("grpcio",),
        # Small letters only, and only with the scheme http.
        ("grpc_proxy", "https_proxy", "http_proxy"),
        ("no_grpc_proxy", "no_proxy"),
        ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",),
        "the file inside the package",
        "none",
        (
            "github.com/grpc/grpc src/core/ext/filters/client_channel/http_proxy_mapper.cc",
            "github.com/grpc/grpc doc/environment_variables.md",
        ),
    ),
    Stack(
        "go",
        "Go",
        ("databricks-cli", "terraform", "databricks-sdk-go", "databricks-sql-go"),
        (),
        ("HTTPS_PROXY", "https_proxy"),
        ("NO_PROXY", "no_proxy"),
        # Of both, the certificates are added together.
        ("SSL_CERT_FILE", "SSL_CERT_DIR"),
        "the system's; on macOS and Windows it reads no variable, so the CA has to be in the system's store",
        "none",
        (
            "golang.org/x/net/http/httpproxy FromEnvironment",
            "Go's crypto/x509 root_unix.go; github.com/golang/go issues 37907, 71924",
            "github.com/databricks/cli issue 3643 (bundle deploy and SSL_CERT_FILE)",
        ),
    ),
    Stack(
        "java",
        "Java",
        ("jdbc", "databricks-jdbc", "databricks-sdk-java"),
        (),
        ("JAVA_TOOL_OPTIONS",),
        ("JAVA_TOOL_OPTIONS",),
        ("JAVA_TOOL_OPTIONS",),
        "the runtime's lib/security/cacerts",
        "-Dhttps.proxyHost, -Dhttps.proxyPort, -Dhttp.nonProxyHosts, -Djavax.net.ssl.trustStore; JDBC has UseProxy, "
        "ProxyHost, ProxyPort, SSLTrustStore, SSLTrustStorePwd, UseSystemTrustStore in its URL",
        (
            "OpenJDK src/java.base/share/conf/net.properties",
            "JSSE reference guide, javax.net.ssl.trustStore",
            "docs.databricks.com integrations/jdbc-oss/properties",
        ),
    ),
    Stack(
        "node",
        "Node",
        ("databricks-sql-nodejs",),
        (),
        ("https_proxy", "HTTPS_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("NODE_EXTRA_CA_CERTS",),
        "the list inside Node; NODE_EXTRA_CA_CERTS adds to it",
        "@databricks/sql reads no variable: give it the option `proxy`; before Node 22.21 and 24.5, so does `fetch`",
        (
            "nodejs.org/learn/http/enterprise-network-configuration",
            "nodejs.org/api/cli.html NODE_EXTRA_CA_CERTS, NODE_USE_ENV_PROXY",
            "databricks-sql-nodejs lib/connection/contracts/IConnectionOptions.ts",
        ),
        ("NODE_USE_ENV_PROXY", "1"),
    ),
    Stack(
        "curl",
        "curl",
        (),
        (),
        ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        "the system's",
        "~/.curlrc: proxy, cacert; for http:// only http_proxy in small letters counts",
        ("curl.se/docs/manpage.html ENVIRONMENT", "man libcurl-env"),
    ),
    Stack(
        "git",
        "git",
        (),
        (),
        ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("GIT_SSL_CAINFO",),
        "the system's",
        "http.proxy, http.sslCAInfo; its hosts are not Databricks', so they keep their own certificates in a tunnel",
        ("git-config(1) http.proxy, http.sslCAInfo",),
    ),
    Stack(
        "pip",
        "pip",
        (),
        (),
        ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        ("no_proxy", "NO_PROXY"),
        ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        "certifi's file, or the system's (truststore)",
        "--proxy, --cert; its hosts are not Databricks', so they keep their own certificates in a tunnel",
        ("pip.pypa.io/en/stable/topics/https-certificates",),
    ),
    Stack(
        "dotnet",
        ".NET and PowerShell 7",
        (),
        (),
        ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        ("no_proxy", "NO_PROXY"),
        # On Linux OpenSSL's; on Windows and macOS the system's store.
        ("SSL_CERT_FILE", "SSL_CERT_DIR"),
        "the system's",
        "-Proxy of Invoke-RestMethod; on Windows and macOS the CA has to be in the system's store",
        ("learn.microsoft.com HttpClient.DefaultProxy, remarks",),
    ),
)


def find_stack(name: str) -> Stack | None:
    """The stack of this name, or the first one that the client of this name is built on."""
    return next((stack for stack in STACKS if name == stack.name), None) or next(
        (stack for stack in STACKS if name in stack.serves), None
    )


def names() -> list[str]:
    """What ``find_stack`` knows."""
    return sorted({name for stack in STACKS for name in (stack.name, *stack.serves)})
