"""``brickscope client-env``: the variables that lead every client to the proxy, and the file of CAs that they name."""

import os
from pathlib import Path
from typing import TextIO

import click

from brickscope.core.placeholder import is_whole
from brickscope.count import counted
from brickscope.host.bundle import Trust, gather, write_bundle, write_truststore
from brickscope.host.certificates import fingerprint, read_blocks, subject
from brickscope.host.managed_identity import find_detour
from brickscope.host.proxy_url import read_proxy_url
from brickscope.host.syntax import FORMATS, SHELLS, render
from brickscope.host.variables import variables

from .command import command
from .options import NEW_FILE
from .output import say


def default_bundle() -> Path:
    """Where the bundle is written if nothing else is said."""
    # Not Path.expanduser, which raises where a user has no home.
    home = os.path.expanduser(os.environ.get("XDG_CONFIG_HOME") or "~/.config")  # noqa: PTH111
    return Path(home) / "brickscope" / "clients.pem"


def default_ca() -> Path | None:
    """The CA certificate of a proxy that this user runs on this host, if there is one."""
    file = Path(os.path.expanduser("~/.mitmproxy/mitmproxy-ca-cert.pem"))  # noqa: PTH111 - as above
    return file if file.is_file() else None


@command("client-env")
@click.option("--proxy", metavar="URL", help="The proxy: http://HOST:PORT. Default: HTTPS_PROXY.")
@click.option(
    "--ca",
    "authorities",
    multiple=True,
    type=NEW_FILE,
    help="The proxy's CA certificate (mitmproxy-ca-cert.pem). Twice for the old and the new one while it is replaced. "
    "Default: a bundle that is there stays as it is; else the one in ~/.mitmproxy.",
)
@click.option(
    "--also",
    multiple=True,
    type=NEW_FILE,
    help="More roots to trust, such as a company's. May be given several times.",
)
@click.option(
    "--bundle", type=NEW_FILE, help="The CA bundle to write. Default: ~/.config/brickscope/clients.pem."
)
@click.option(
    "--bundle-at",
    type=click.Path(path_type=Path),
    help="The bundle's path where the variables will be used, such as in a container.",
)
@click.option(
    "--java-truststore", type=NEW_FILE, help="Also write a PKCS #12 trust store, and JAVA_TOOL_OPTIONS."
)
@click.option(
    "--no-proxy",
    metavar="HOSTS",
    help="Also set NO_PROXY and no_proxy to this list. Default: if this host's managed identity would be asked through the "
    "proxy, their present value and its endpoint.",
)
@click.option(
    "--placeholder",
    type=click.File("r"),
    help="Also set DATABRICKS_TOKEN to the placeholder in this file; - for standard input.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="sh",
    show_default=True,
    help="How the variables are written.",
)
def client_env_command(
    proxy: str | None,
    authorities: tuple[Path, ...],
    also: tuple[Path, ...],
    bundle: Path | None,
    bundle_at: Path | None,
    java_truststore: Path | None,
    no_proxy: str | None,
    placeholder: TextIO | None,
    form: str,
) -> None:
    """Print the variables that route all Databricks clients through the proxy, and write the CA bundle they need.

    The bundle holds the system's roots and the proxy's CA certificate, never a key. It can be rewritten at any
    time: it is replaced atomically, and only if something changed. A password in the proxy's URL is printed, since
    clients need it; give such a URL by HTTPS_PROXY and not as an argument, which every user of a machine can read.

    \b
    Exit status: 0 done, 2 the command can't be carried out.

    \b
    Examples:
      eval "$(brickscope client-env --proxy http://10.0.8.2:8080 --ca mitmproxy-ca-cert.pem)"
      brickscope client-env --proxy http://10.0.8.2:8080 --format fish | source
      brickscope client-env --format powershell | Out-String | Invoke-Expression
      brickscope client-env --format docker --bundle ./clients.pem --bundle-at /etc/clients.pem > proxy.env
      brickscope client-env --format github-actions >> "$GITHUB_ENV"
      brickscope client-env --placeholder etl.placeholder --format docker > etl.env
      brickscope client-env --java-truststore ~/.config/brickscope/clients.p12
    """
    url = proxy or os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if not url:
        raise click.UsageError("say where the proxy is: --proxy http://HOST:PORT, or HTTPS_PROXY")
    file = (bundle or default_bundle()).absolute()
    here = os.environ if form in SHELLS else {}
    detour = find_detour({**here, "https_proxy": url})
    if no_proxy is None and detour and detour.used:
        no_proxy = detour.no_proxy
    try:
        made = variables(
            read_proxy_url(url),
            bundle_at or file,
            truststore=java_truststore.absolute() if java_truststore else None,
            no_proxy=no_proxy,
            java=here.get("JAVA_TOOL_OPTIONS", ""),
        )
        if placeholder is not None:
            token = placeholder.read(1024).strip()
            if not is_whole(token):
                raise ValueError(
                    "that is not a complete placeholder: give what 'brickscope placeholder new' has printed"
                )
            # Clients send it, whatever else their environment has.
            made |= {"DATABRICKS_TOKEN": token, "DATABRICKS_AUTH_TYPE": "pat"}
        text = render(made, form)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    trust, is_new = _trust(authorities, also, file)
    if is_new and write_bundle(trust, file):
        _say(file, trust)
    if java_truststore and write_truststore(trust, java_truststore.absolute()):
        _say(java_truststore, trust)
    click.echo(text, nl=False)


def _trust(authorities: tuple[Path, ...], also: tuple[Path, ...], file: Path) -> tuple[Trust, bool]:
    """What the bundle holds, and whether it is to be written. Raises CertificateError."""
    if not authorities and file.is_file():
        if also:
            raise click.UsageError("--also is for a new bundle; give --ca, too")
        return Trust(str(file), read_blocks(file), [], []), False
    found = default_ca()
    if not authorities and found is None:
        raise click.UsageError(
            "say which CA the proxy has: --ca mitmproxy-ca-cert.pem, a file in the confdir of the proxy "
            "(~/.mitmproxy of its user)"
        )
    return gather(authorities or (found,) if found else authorities, also), True


def _say(file: Path, trust: Trust) -> None:
    say(f"brickscope: wrote {file}: {counted(len(trust.all), 'CA')}")
    for each in trust.ended:
        say(f"brickscope: left out {subject(each)} sha256:{fingerprint(each)[:16]}…, it has expired")
