"""``brickscope ca``: the authority that clients trust, and the way from one to the next without a failed call."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from brickscope.service.authority.certificate import Chain
    from brickscope.service.authority.folder import Held

# By os.path: a user that is only a number has no home, and pathlib would raise before any command could run.
CONFDIR = Path(os.path.expanduser("~/.mitmproxy"))  # noqa: PTH111
DOMAINS = ("cloud.databricks.com", "databricksapps.com")

_RESTART = (
    "The proxy shows certificates of the one before until it is started again: restart it, or send SIGUSR2 to the "
    "supervisor of scripts/proxy --workers."
)


def _confdir(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--confdir",
        type=click.Path(file_okay=False, path_type=Path),
        default=CONFDIR,
        show_default=True,
        help="The proxy's option confdir: the folder of its CA.",
    )(command)


def _words(command: Callable[..., None]) -> Callable[..., None]:
    """An operator's mistake is one sentence and exit status 2."""

    @functools.wraps(command)
    def with_words(*arguments: Any, **options: Any) -> None:
        from brickscope.service.authority.error import AuthorityError

        try:
            command(*arguments, **options)
        except AuthorityError as error:
            raise click.UsageError(str(error)) from None
        except OSError as error:
            raise click.UsageError(f"{error.filename}: {error.strerror}") from None

    return with_words


@click.group("ca")
def ca_command() -> None:
    """Show the proxy's certificate authority (CA), make the next one, and change over without a failed call.

    The order: new, give the bundle to all clients, use, restart the proxy, retire. docs/upkeep.md has the whole way.

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
@click.option("--soon", type=click.IntRange(0, 3650), default=30, show_default=True, metavar="DAYS")
@click.option(
    "--host", "hosts", multiple=True, help="A host that has to be covered, or *.suffix; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_words
def show_command(confdir: Path, soon: int, hosts: tuple[str, ...], as_json: bool) -> None:
    """Show the CA in use, the next and the previous one: subject, fingerprint, end, names, files.

    \b
    Exit status: 0 all is well, 1 the CA in use has expired or does within --soon days, does not cover a --host, or its key
    may be read by others; 2 there is no CA, or it can't be read.

    \b
    Examples:
      brickscope ca show
      brickscope ca show --confdir /var/lib/brickscope/ca --soon 60 --json
    """
    from datetime import timedelta

    from brickscope.service.authority.findings import findings
    from brickscope.service.authority.folder import AuthorityFolder

    folder = AuthorityFolder(confdir)
    held = folder.held()
    if not held:
        _no_authority(confdir)
    found = [each.text for each in findings(folder, hosts, soon=timedelta(days=soon))]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "authorities": [_data(each) for each in held],
                    "bundle": str(folder.bundle) if folder.bundle.exists() else None,
                    "findings": found,
                }
            )
        )
    else:
        for each in held:
            _print(each)
        if folder.bundle.exists():
            click.echo(f"clients should trust {folder.bundle}")
        for text in found:
            click.echo(f"warning: {text}", err=True)
    if found:
        raise SystemExit(1)


@ca_command.command("new")
@_confdir
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help=f"It may sign for this domain and all below it; may be repeated. Default: {' and '.join(DOMAINS)}.",
)
@click.option(
    "--any-name", is_flag=True, help="Let it sign for any name. Whoever steals its key then can, too."
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=825, show_default=True, help="How long it holds."
)
@click.option("--name", help="Its common name. Default: one with the day.")
@click.option("--if-missing", is_flag=True, help="Do nothing if there is a CA already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_words
def new_command(
    confdir: Path,
    domains: tuple[str, ...],
    any_name: bool,
    days: int,
    name: str | None,
    if_missing: bool,
    as_json: bool,
) -> None:
    """Make the next CA and lay it beside the one in use; where there is none yet, it is the one in use.

    It may sign for the domains under policy only, so that its key, if it is ever stolen, is worth nothing elsewhere.

    \b
    Exit status: 0 made (or not needed), 2 not.

    \b
    Examples:
      brickscope ca new
      brickscope ca new --domain cloud.databricks.com --domain azuredatabricks.net --days 365
      brickscope ca new --if-missing --confdir /var/lib/brickscope/ca
    """
    from brickscope.proxy.preparation import dhparam
    from brickscope.service.authority.creation import make_authority
    from brickscope.service.authority.folder import AuthorityFolder

    if any_name and domains:
        raise click.UsageError("--any-name and --domain: one of them")
    folder = AuthorityFolder(confdir)
    if if_missing and (there := folder.find("current")):
        _say(there, as_json, f"there is a CA already: {there.chain.subject}")
        return
    held = folder.add(make_authority(None if any_name else domains or DOMAINS, days, name), dhparam())
    if held.role == "current":
        text = f"Made, and in use from the proxy's next start on. Give clients {folder.bundle}."
    else:
        text = (
            f"Made; it waits in {held.path}. Give clients {folder.bundle}, which holds both certificates, and when all have "
            "it: 'brickscope ca use'."
        )
    _say(held, as_json, text)


@ca_command.command("use")
@_confdir
@click.option(
    "--trusted-by",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A bundle of a client: go on only if it holds the next CA. May be repeated.",
)
@click.option("--previous", is_flag=True, help="Go back to the previous one instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_words
def use_command(confdir: Path, trusted_by: tuple[Path, ...], previous: bool, as_json: bool) -> None:
    """Put the next CA in the place of the one in use. The proxy takes it at its next start.

    Clients that trust only the old one fail from then on: give them the bundle first.

    \b
    Exit status: 0 done, 1 a --trusted-by file does not hold it (nothing was changed), 2 not possible.

    \b
    Examples:
      brickscope ca use --trusted-by /etc/brickscope/clients.pem
      brickscope ca use --previous
    """
    from brickscope.service.authority.certificate import Chain
    from brickscope.service.authority.folder import AuthorityFolder

    role = "previous" if previous else "next"
    folder = AuthorityFolder(confdir)
    wanted = folder.find(role)
    for file in trusted_by:
        if wanted is not None and wanted.chain.anchor not in Chain.read(file).certificates:
            click.echo(f"{file} does not hold {wanted.chain.subject}; nothing was changed", err=True)
            raise SystemExit(1)
    _say(folder.use(role), as_json, _RESTART)


@ca_command.command("retire")
@_confdir
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_words
def retire_command(confdir: Path, as_json: bool) -> None:
    """Remove the previous CA: its key, and its certificate from the bundle. Then give clients the bundle again.

    \b
    Exit status: 0 done, 2 there is none.

    \b
    Examples:
      brickscope ca retire
    """
    from brickscope.service.authority.folder import AuthorityFolder

    folder = AuthorityFolder(confdir)
    gone = folder.retire()
    _say(gone, as_json, f"Removed. Give clients {folder.bundle}, which holds it no more.")


@ca_command.command("bundle")
@_confdir
@_words
def bundle_command(confdir: Path) -> None:
    """Print the certificates that clients have to trust, in PEM form: of the CA in use, the next and the previous one.

    \b
    Exit status: 0 printed, 2 there is no CA.

    \b
    Examples:
      brickscope ca bundle > brickscope-ca.pem
      cat /etc/ssl/certs/ca-certificates.crt <(brickscope ca bundle) > clients.pem
    """
    from brickscope.service.authority.folder import AuthorityFolder

    held = AuthorityFolder(confdir).held()
    if not held:
        _no_authority(confdir)
    for each in held:
        click.echo(each.chain.anchor_pem.decode(), nl=False)


def _no_authority(confdir: Path) -> NoReturn:
    raise click.UsageError(
        f"there is no CA in {confdir}; 'brickscope ca new' makes one, or the proxy at its first start"
    )


def _say(held: Held, as_json: bool, text: str) -> None:
    if as_json:
        click.echo(json.dumps(_data(held)))
        return
    _print(held)
    click.echo(text)


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


def _print(held: Held) -> None:
    click.echo(f"{held.role}: {held.chain.subject}")
    for name, text in _lines(held.chain, held.path):
        click.echo(f"  {name:12}{text}")


def _lines(chain: Chain, path: Path) -> list[tuple[str, str]]:
    days = chain.days_left()
    permitted = chain.permitted
    return [
        ("sha256", chain.fingerprint),
        (
            "until",
            f"{chain.ends:%Y-%m-%d} ({days} days left)" if days >= 0 else f"{chain.ends:%Y-%m-%d} (expired)",
        ),
        ("key", chain.key),
        ("signs for", "any name" if permitted is None else ", ".join(permitted) + " and below"),
        ("file", str(path)),
    ]
