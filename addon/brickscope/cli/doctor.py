"""``brickscope doctor``: whether this host's clients reach the proxy, and the line that fixes it."""

import configparser
import os
from pathlib import Path

import click

from brickscope.core.hostname import host_of, is_hostname
from brickscope.host.editor import NAME as EDITOR
from brickscope.host.examination import Examination
from brickscope.host.fix import find_shell
from brickscope.host.stack import find_stack, names
from brickscope.host.syntax import SHELLS

from .client_env import default_bundle, default_ca
from .command import command
from .options import FILE
from .output import Answer, answers


@command("doctor")
@click.option(
    "--workspace", metavar="HOST", help="The workspace. Default: DATABRICKS_HOST, or ~/.databrickscfg."
)
@click.option("--proxy", metavar="URL", help="Where the proxy is. Default: HTTPS_PROXY.")
@click.option("--ca", "authority", type=FILE, help="The proxy's CA certificate, if you have it.")
@click.option(
    "--client", "clients", multiple=True, metavar="NAME", help="Only this client: curl, databricks-sdk, …"
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH",
    help="A Python whose packages are tested, such as a project's.",
)
@click.option("--shell", type=click.Choice(SHELLS), help="The shell that the lines are for. Default: yours.")
@answers
def doctor_command(
    workspace: str | None,
    proxy: str | None,
    authority: Path | None,
    clients: tuple[str, ...],
    pythons: tuple[str, ...],
    shell: str | None,
) -> Answer:
    """Test whether the Databricks clients on this host reach the proxy and trust it.

    It checks the variables, the proxy, a tunnel, what answers in it and the CA; then runs each client with one call that has
    no token. Nothing is changed. For each problem it prints the line for your shell that fixes it.

    \b
    Exit status: 0 no problem, 1 problems found, 2 the command can't be carried out.

    \b
    Examples:
      brickscope doctor --workspace dbc-a1b2c3d4-e5f6.cloud.databricks.com
      brickscope doctor --proxy http://10.0.8.2:8080 --ca mitmproxy-ca-cert.pem
      brickscope doctor --client databricks-connect --python ./venv/bin/python --json
    """
    host = _host(workspace)
    if not is_hostname(host):
        raise click.UsageError(f"{host!r} is not a workspace's host name")
    stacks = set()
    for name in clients:
        stack = find_stack(name)
        if stack is None and name != EDITOR:
            raise click.UsageError(f"there is no client {name!r}; there are {', '.join([*names(), EDITOR])}")
        stacks.add(stack.name if stack else EDITOR)
    report = Examination(
        host,
        os.environ,
        shell or find_shell(os.environ),
        proxy,
        authority.absolute() if authority else default_ca(),
        default_bundle(),
        frozenset(stacks),
        pythons,
        bool({"terraform", "databricks-cli"} & set(clients)) or Path("databricks.yml").is_file(),
    ).report()
    return Answer(report, "doctor", failed=not report["healthy"])


def _host(given: str | None) -> str:
    """The host name of the workspace. Of ``~/.databrickscfg`` nothing but the host is taken."""
    text = given or os.environ.get("DATABRICKS_HOST")
    if not text:
        # Not Path.expanduser, which raises where a user has no home.
        file = Path(os.path.expanduser(os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg"))  # noqa: PTH111
        config = configparser.ConfigParser(interpolation=None)
        try:
            config.read(file, encoding="utf-8")
            text = config.get("DEFAULT", "host", fallback=None)
        except (configparser.Error, OSError, UnicodeError):
            text = None
    if not text:
        raise click.UsageError(
            "say which workspace: --workspace dbc-….cloud.databricks.com, or DATABRICKS_HOST"
        )
    return host_of(text if "://" in text else f"https://{text}")
