"""Squid with ssl-bump: the forward proxy that most firms have, with the policy as native ACLs.

It needs a Squid that was built with OpenSSL (Debian's ``squid-openssl``; the package ``squid`` can't open TLS).
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..processes import Proxy, StartError, free_port, start_proxy
from ..variants import Stage
from ..workload import HOST
from .peer import LOG, Peer, find_program, version_of
from .rules import REFUSAL, grants

_CERTIFICATE_HELPERS = (
    Path("/usr/lib/squid/security_file_certgen"),
    Path("/usr/lib64/squid/security_file_certgen"),
    Path("/usr/libexec/squid/security_file_certgen"),
)
_LINE = r'{"time":"%{%Y-%m-%dT%H:%M:%S}tg","client":"%>a","method":"%rm","path":"%rp","status":%>Hs,"decision":"%Ss"}'
USER = "proxy"
"""Whom Squid becomes when it is started by root (Debian's default)."""


def _missing() -> str:
    if find_program("squid") is None or _certificate_helper() is None:
        return "no squid with ssl-bump is installed (Debian: apt-get install squid-openssl)"
    return ""


def _certificate_helper() -> Path | None:
    return next((file for file in _CERTIFICATE_HELPERS if file.exists()), None)


def configure(stage: Stage, port: int) -> Path:
    """Write the configuration and what it names; returns its file. Raises StartError."""
    folder = stage.folder / "squid"
    errors = folder / "errors"
    errors.mkdir(parents=True, exist_ok=True)
    (folder / "hosts").write_text(f"127.0.0.1 {HOST}\n")
    (errors / "ERR_BENCH").write_bytes(REFUSAL + b"\n")
    certificates = folder / "certificates"
    helper = _certificate_helper()
    if not certificates.exists():
        command = [str(helper), "-c", "-s", str(certificates), "-M", "4MB"]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if made.returncode:
            raise StartError(f"squid's certificate store can't be made: {made.stderr.strip()}")
    lines = [
        f"http_port 127.0.0.1:{port} ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=4MB"
        f" tls-cert={stage.confdir / 'mitmproxy-ca.pem'}",
        f"sslcrtd_program {helper} -s {certificates} -M 4MB",
        "sslcrtd_children 2 startup=1 idle=1",
        "ssl_bump bump all",
        f"hosts_file {folder / 'hosts'}",
        f"tls_outgoing_options cafile={stage.upstream_ca}",
        "cache deny all",
        "cache_mem 0 MB",
        "acl CONNECT method CONNECT",
        "http_access allow CONNECT",
        *_rules(stage, folder),
        "http_access deny all",
        "deny_info ERR_BENCH all",
        f"error_directory {errors}",
        f"logformat audit {_LINE}",
        f"access_log stdio:{folder / LOG} logformat=audit",
        f"cache_log {folder / 'cache.log'}",
        f"coredump_dir {folder}",
        "pid_filename none",
        "server_pconn_for_nonretriable allow all",  # or each POST would cost a new connection to the host
        "pinger_enable off",
        "visible_hostname bench",
        "dns_nameservers 127.0.0.1",
        "via off",
        "forwarded_for delete",
        "shutdown_lifetime 0 seconds",
        f"cache_effective_user {USER}" if os.geteuid() == 0 else "",
    ]
    file = folder / "squid.conf"
    file.write_text("\n".join(lines) + "\n")
    _hand_over(stage, folder)
    return file


def _rules(stage: Stage, folder: Path) -> Iterator[str]:
    """One line of access rules for each token and method, the cheapest test first, as Squid's manual advises."""
    policy = grants(stage)
    for method in sorted({method for grant in policy for method, _ in grant.rules}):
        yield f"acl method_{method} method {method}"
    for number, grant in enumerate(policy):
        yield f"acl token{number} req_header Authorization ^Bearer[[:space:]]{grant.token}$"
        for method, paths in grant.by_method():
            file = folder / f"token{number}-{method}.rules"
            file.write_text("\n".join(paths) + "\n")
            yield f'acl token{number}_{method} urlpath_regex "{file}"'
            yield f"http_access allow method_{method} token{number} token{number}_{method}"


def _hand_over(stage: Stage, folder: Path) -> None:
    """Started by root, Squid and its helpers become another user, who has to read and write here."""
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        raise StartError(f"squid becomes the user {USER!r}, which does not exist") from None
    stage.folder.chmod(0o711)
    for path in [stage.upstream_ca.parent, stage.upstream_ca]:
        path.chmod(path.stat().st_mode | 0o055)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)


@contextmanager
def _start(stage: Stage) -> Iterator[Proxy]:
    port = free_port()
    file = configure(stage, port)
    # A name of its own: its shared memory is found by it, and another Squid's may be there.
    command = [find_program("squid") or "squid", "-n", f"bench{port}", "-N", "-f", str(file)]
    with start_proxy(command, port, stage.folder, {}) as proxy:
        yield proxy


SQUID = Peer(
    "squid",
    "Squid with ssl-bump and native ACLs; one process and its certificate helper",
    _start,
    _missing,
    version_of("squid", "-v"),
    names_port=True,
)
