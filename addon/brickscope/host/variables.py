"""The variables that lead every client to the proxy and make it trust the proxy's CA."""

import re
from pathlib import Path

from .bundle import TRUSTSTORE_PASSWORD
from .proxy_url import ProxyUrl

CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NODE_EXTRA_CA_CERTS",
)
_OURS = re.compile(
    r"-D(?:https\.proxy(?:Host|Port)|javax\.net\.ssl\.trustStore(?:Type|Password)?)="
    r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'])*"
)


def variables(
    proxy: ProxyUrl,
    bundle: Path | None,
    *,
    truststore: Path | None = None,
    no_proxy: str | None = None,
    java: str = "",
) -> dict[str, str]:
    """Name and value of each. ``java``: JAVA_TOOL_OPTIONS as it is now, whose other options stay.

    Raises ValueError for a path that Java can't be told.
    """
    # Both spellings: gRPC reads lower case only, and where both are set clients differ in which one counts.
    made = {"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url}
    if no_proxy is not None:
        made |= {"NO_PROXY": no_proxy, "no_proxy": no_proxy}
    if bundle is not None:
        made |= dict.fromkeys(CA_VARIABLES, str(bundle))
    made["NODE_USE_ENV_PROXY"] = "1"
    if truststore is not None:
        made["JAVA_TOOL_OPTIONS"] = java_options(proxy, truststore, java)
    return made


def java_options(proxy: ProxyUrl, truststore: Path, java: str = "") -> str:
    """JAVA_TOOL_OPTIONS: what it held of other things, then ours."""
    ours = {
        "https.proxyHost": proxy.host,
        "https.proxyPort": str(proxy.port),
        "javax.net.ssl.trustStore": str(truststore),
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": TRUSTSTORE_PASSWORD,
    }
    kept = _OURS.sub("", java).split()
    return " ".join([*kept, *(f"-D{name}={_java_quoted(value)}" for name, value in ours.items())])


def _java_quoted(value: str) -> str:
    """HotSpot (arguments.cpp, parse_options_buffer) splits at blanks outside of quotes, and knows no escape."""
    if not re.search(r"[\s\"']", value):
        return value
    return "".join(f"'{part}'" if '"' in part else f'"{part}"' for part in re.findall(r"\"+|[^\"]+", value))
