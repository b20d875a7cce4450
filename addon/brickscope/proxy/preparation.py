"""What the supervisor has to know and make before any worker starts, found in a process of its own.

Run as ``python -m brickscope.proxy.preparation FLAGS``. It reads mitmdump's flags and ``config.yaml`` as a worker will,
makes the authority and the log's keys (two workers would make two), and prints a ``Plan`` as one line of JSON. So the
supervisor itself needs no mitmproxy, and has little that could fail.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from brickscope.service.supervisor.channel import Plan

LOOPBACK = "127.0.0.1"


def prepare(arguments: Sequence[str]) -> Plan:
    """Read the flags and make what is missing. Raises ``OptionError``, ``AuditError`` or mitmproxy's ``OptionsError``."""
    return asyncio.run(_prepare(arguments))


async def _prepare(arguments: Sequence[str]) -> Plan:
    from mitmproxy import optmanager
    from mitmproxy.certs import CertStore
    from mitmproxy.options import CONF_BASENAME, Options
    from mitmproxy.proxy import mode_specs
    from mitmproxy.tools import cmdline
    from mitmproxy.tools.dump import DumpMaster
    from mitmproxy.tools.main import process_options

    from brickscope.log.key import DigestKey, SigningKey
    from brickscope.log.writer import DIGEST_KEY, SIGNING_KEY
    from brickscope.proxy.options import OURS, read_settings

    options = Options()
    DumpMaster(
        options, with_termlog=False, with_dumper=False
    )  # declares the options of mitmproxy's own addons
    for name, kind, default, text in OURS:
        options.add_option(name, kind, default, text)
    parser = cmdline.mitmdump(options)
    flags = parser.parse_args(list(arguments))
    options.set(*flags.setoptions, defer=True)
    confdir = Path(options.confdir).expanduser()  # noqa: ASYNC240 - nothing else runs in this process
    optmanager.load_paths(options, str(confdir / "config.yaml"), str(confdir / "config.yml"))
    process_options(parser, options, flags)
    settings = read_settings(options)
    passphrase = options.cert_passphrase.encode() if options.cert_passphrase else None
    CertStore.from_store(confdir, CONF_BASENAME, options.key_size, passphrase)
    SigningKey.load_or_make(settings.audit_keys / SIGNING_KEY)
    DigestKey.load_or_make(settings.audit_keys / DIGEST_KEY)
    mode = mode_specs.ProxyMode.parse(options.mode[0])
    return Plan(
        mode.listen_host(options.listen_host) or LOOPBACK,
        mode.listen_port(options.listen_port) or 0,
        settings.stop_after,
        "" if settings.status is None else str(settings.status),
        settings.json_log,
    )


def dhparam() -> bytes:
    """What mitmproxy would write beside its authority when it starts (PEM); no secret."""
    from mitmproxy.certs import DEFAULT_DHPARAM

    return DEFAULT_DHPARAM


def main() -> None:
    """Print the plan, or what is wrong with the flags."""
    from mitmproxy.exceptions import OptionsError

    from brickscope.log.error import AuditError
    from brickscope.proxy.options import OptionError

    try:
        plan = prepare(sys.argv[1:])
    except (OptionError, AuditError, OptionsError, OSError, ValueError) as error:
        sys.stderr.write(f"Brickscope can't start.\n\n{error}\n\n")
        sys.exit(1)
    sys.stdout.write(json.dumps(plan._asdict()) + "\n")


if __name__ == "__main__":
    main()
