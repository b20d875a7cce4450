"""``brickscope proxy``: becomes mitmdump with the installed script, so that nobody has to know where that lies."""

import os
import sys

import click

from brickscope.script import script_path

from .command import command

_MITMDUMP = "from mitmproxy.tools.main import mitmdump; mitmdump()"


@command("proxy", context_settings={"ignore_unknown_options": True})
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Run N worker processes on one port; one for each core is enough.",
)
@click.argument("flags", metavar="[FLAGS OF MITMDUMP]", nargs=-1, type=click.UNPROCESSED)
def proxy_command(workers: int | None, flags: tuple[str, ...]) -> None:
    """Run the proxy, as scripts/proxy does in a checkout: on 127.0.0.1:8080, with the policy in ./rules and the log in
    ./audit.jsonl, unless the flags say otherwise.

    Every other flag goes to mitmdump as it is. This process becomes the proxy (or the supervisor of its workers), so
    signals sent to it reach it: SIGTERM lets calls finish and ends it, SIGHUP loads the policy again.

    \b
    Examples:
      brickscope proxy
      brickscope proxy --set scope_rules=/etc/brickscope/rules
      brickscope proxy --workers 4 --listen-host 10.0.8.2 --set scope_rules=/etc/brickscope/rules \\
          --set confdir=/etc/brickscope/ca --set scope_audit_log=/var/log/brickscope/audit.jsonl
    """
    # By this Python, and not by whichever mitmdump PATH has. -P: the working directory may hold a module of any name.
    command = [sys.executable, "-P"]
    if workers is None:
        # Brickscope listens itself: mitmproxy's own server would be open for a moment before that, on all addresses.
        command += ["-c", _MITMDUMP, "-s", str(script_path()), "--no-server"]
    else:
        command += ["-m", "brickscope.service.supervisor", "--workers", str(workers)]
    os.execv(sys.executable, [*command, *flags])  # noqa: S606
