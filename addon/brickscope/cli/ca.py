"""``brickscope ca``: the authority that clients trust, and the way from one to the next without a failed call."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from brickscope.analysis.answer import render
from brickscope.error import OperatorError
from brickscope.service.authority.certificate import Chain
from brickscope.service.authority.creation import make_authority
from brickscope.service.authority.findings import findings
from brickscope.service.authority.folder import AuthorityFolder, Held

from .command import Group
from .options import FILE, confdir_option, soon_option
from .output import Answer, answers, say

DOMAINS = ("cloud.databricks.com", "databricksapps.com")

_RESTART = (
    "The proxy uses the previous CA until it is restarted: restart it, or send SIGUSR2 to the "
    "supervisor of scripts/proxy --workers."
)


_confdir = confdir_option("--confdir", "The proxy's option confdir: the folder of its CA.")


@click.group("ca", cls=Group)
def ca_command() -> None:
    """Show the proxy's certificate authority (CA), and replace it without failing a call.

    The order: new, distribute the bundle to all clients, use, restart the proxy, retire. See docs/upkeep.md.

    \b
    Examples:
      brickscope ca show
      brickscope ca new
      brickscope ca bundle > brickscope-ca.pem
      brickscope ca use --trusted-by /etc/brickscope/clients.pem
      brickscope ca retire
    """


@ca_command.command("show")
@_confdir
@soon_option("Report a CA that expires within this many days.")
@click.option(
    "--host", "hosts", multiple=True, help="A host that the CA must cover, or *.suffix; may be repeated."
)
@answers
def show_command(confdir: Path, soon: int, hosts: tuple[str, ...]) -> Answer:
    """Show the current, the next and the previous CA.

    Of each: subject, fingerprint, expiry, the names it may sign for, and its file.

    \b
    Exit status: 0 no problem, 1 the current CA has expired or will within --soon days, does not cover a --host, or its key
    may be read by others; 2 there is no CA, or it can't be read.

    \b
    Examples:
      brickscope ca show
      brickscope ca show --confdir /var/lib/brickscope/ca --soon 60 --json
    """
    folder, held = _held(confdir)
    bundle = folder.bundle if folder.bundle.exists() else None
    found = [each.text for each in findings(folder, hosts, soon=timedelta(days=soon))]
    data = {
        "authorities": [_data(each) for each in held],
        "bundle": bundle and str(bundle),
        "findings": found,
    }
    return Answer(data, "ca", bool(found), [f"warning: {text}" for text in found])


@ca_command.command("new")
@_confdir
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help=f"Allow it to sign for this domain and its subdomains; may be repeated. Default: {' and '.join(DOMAINS)}.",
)
@click.option(
    "--any-name", is_flag=True, help="Allow it to sign for any name. Whoever steals its key can then, too."
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=825, show_default=True, help="Validity in days."
)
@click.option("--name", help="Its common name. Default: one with today's date.")
@click.option("--if-missing", is_flag=True, help="Do nothing if there is a CA already.")
@answers
def new_command(
    confdir: Path,
    domains: tuple[str, ...],
    any_name: bool,
    days: int,
    name: str | None,
    if_missing: bool,
) -> Answer:
    """Make the next CA, beside the current one.

    If there is none yet, the new one becomes the current one. It may sign for the governed domains only, so a stolen key
    is useless for other sites.

    \b
    Exit status: 0 made (or not needed), 2 not.

    \b
    Examples:
      brickscope ca new
      brickscope ca new --domain cloud.databricks.com --domain azuredatabricks.net --days 365
      brickscope ca new --if-missing --confdir /var/lib/brickscope/ca
    """
    from brickscope.proxy.preparation import dhparam

    if any_name and domains:
        raise click.UsageError("--any-name and --domain: one of them")
    folder = AuthorityFolder(confdir)
    if if_missing and (there := folder.find("current")):
        return _say(there, f"there is a CA already: {there.chain.subject}")
    held = folder.add(make_authority(None if any_name else domains or DOMAINS, days, name), dhparam())
    if held.role == "current":
        text = f"Made, and in use from the proxy's next start on. Give clients {folder.bundle}."
    else:
        text = (
            f"Made; it waits in {held.path}. Give clients {folder.bundle}, which holds both certificates, and when all have "
            "it: 'brickscope ca use'."
        )
    return _say(held, text)


@ca_command.command("use")
@_confdir
@click.option(
    "--trusted-by",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="A client's bundle: change nothing unless it holds the next CA. May be repeated.",
)
@click.option("--previous", is_flag=True, help="Go back to the previous CA instead.")
@answers
def use_command(confdir: Path, trusted_by: tuple[Path, ...], previous: bool) -> Answer:
    """Make the next CA the current one.

    The proxy uses it from its next start. Clients that trust only the old CA fail from then on: distribute the bundle
    first.

    \b
    Exit status: 0 done, 1 a --trusted-by file does not hold it (nothing was changed), 2 not possible.

    \b
    Examples:
      brickscope ca use --trusted-by /etc/brickscope/clients.pem
      brickscope ca use --previous
    """
    role = "previous" if previous else "next"
    folder = AuthorityFolder(confdir)
    wanted = folder.find(role)
    for file in trusted_by:
        if wanted is not None and wanted.chain.anchor not in Chain.read(file).certificates:
            say(f"{file} does not hold {wanted.chain.subject}; nothing was changed")
            raise SystemExit(1)
    return _say(folder.use(role), _RESTART)


@ca_command.command("retire")
@_confdir
@answers
def retire_command(confdir: Path) -> Answer:
    """Remove the previous CA.

    Its key is deleted, and its certificate is removed from the bundle. Then distribute the bundle again.

    \b
    Exit status: 0 done, 2 there is none.

    \b
    Examples:
      brickscope ca retire
    """
    folder = AuthorityFolder(confdir)
    gone = folder.retire()
    return _say(gone, f"Removed. Give clients {folder.bundle}, which no longer holds it.")


@ca_command.command("bundle")
@_confdir
def bundle_command(confdir: Path) -> None:
    """Print the certificates that clients must trust.

    As PEM: those of the current, the next and the previous CA.

    \b
    Exit status: 0 printed, 2 there is no CA.

    \b
    Examples:
      brickscope ca bundle > brickscope-ca.pem
      cat /etc/ssl/certs/ca-certificates.crt <(brickscope ca bundle) > clients.pem
    """
    for each in _held(confdir)[1]:
        click.echo(each.chain.anchor_pem.decode(), nl=False)


def _held(confdir: Path) -> tuple[AuthorityFolder, list[Held]]:
    folder = AuthorityFolder(confdir)
    held = folder.held()
    if not held:
        raise OperatorError(
            f"there is no CA in {confdir}; 'brickscope ca new' makes one, or the proxy at its first start"
        )
    return folder, held


def _say(held: Held, text: str) -> Answer:
    data = _data(held)
    return Answer(data, [*render("ca", {"authorities": [data], "bundle": None}), text])


def _data(held: Held) -> dict[str, Any]:
    chain = held.chain
    permitted = chain.permitted
    return {
        "role": held.role,
        "subject": chain.subject,
        "fingerprint": chain.fingerprint,
        "begins": chain.begins.isoformat().replace("+00:00", "Z"),
        "ends": chain.ends.isoformat().replace("+00:00", "Z"),
        "days_left": chain.days_left(),
        "key": chain.key,
        "domains": None if permitted is None else list(permitted),
        "file": str(held.path),
    }
