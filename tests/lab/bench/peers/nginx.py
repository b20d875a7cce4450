"""nginx as a reverse proxy with the policy as maps: near what TLS in, rules and TLS out cost at the least.

It is no peer in what it can do: a client has to be pointed at it, and it can hold one certificate for known hosts only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..processes import Proxy, free_port, start_proxy
from ..variants import Stage
from ..workload import HOST
from .peer import LOG, Peer, find_program, needs_program, version_of
from .rules import REFUSAL, grants

_TEMPLATE = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 4096; }}
http {{
    map_hash_bucket_size 256;
    map_hash_max_size 65536;
{maps}
    log_format audit escape=json '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
        '"path":"$request_uri","status":$status,"decision":"$allowed","user_agent":"$http_user_agent"}}';
    access_log {folder}/{log} audit;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_ssl_server_name on;
    proxy_ssl_name {host};
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate {ca};
    upstream workspace {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            default_type application/json;
            if ($allowed = 0) {{ return 403 '{refusal}'; }}
            proxy_pass https://workspace;
        }}
    }}
}}
"""


def configure(stage: Stage, port: int) -> Path:
    """Write the configuration; returns its file."""
    folder = stage.folder / "nginx"
    folder.mkdir(exist_ok=True)
    file = folder / "nginx.conf"
    file.write_text(
        _TEMPLATE.format(
            folder=folder,
            log=LOG,
            user="user root;" if os.geteuid() == 0 else "",
            maps="\n".join(_maps(stage)),
            host=HOST,
            ca=stage.upstream_ca,
            upstream=stage.upstream_port,
            port=port,
            certificate=stage.leaf.certificate_file,
            key=stage.leaf.key_file,
            refusal=REFUSAL.decode().replace("'", r"\'"),
        )
    )
    return file


def _maps(stage: Stage) -> Iterator[str]:
    """A map for each token's rules, and one from tokens to these. nginx evaluates only the one that is asked for."""
    yield "    map $http_authorization $allowed {"
    yield "        default 0;"
    for number, grant in enumerate(grants(stage)):
        yield f'        "Bearer {grant.token}" $allowed_{number};'
    yield "    }"
    for number, grant in enumerate(grants(stage)):
        yield f'    map "$request_method $request_uri" $allowed_{number} {{'
        yield "        default 0;"
        for method, path in grant.rules:
            yield f'        "~^{method} {path.removeprefix("^")}" 1;'
        yield "    }"


def command(file: Path, *flags: str) -> list[str]:
    """How nginx is called with a configuration; with ``-t`` it only checks it."""
    return [find_program("nginx") or "nginx", "-e", "stderr", "-p", str(file.parent), "-c", str(file), *flags]


@contextmanager
def _start(stage: Stage) -> Iterator[Proxy]:
    port = free_port()
    with start_proxy(command(configure(stage, port)), port, stage.folder, {}) as proxy:
        yield proxy


NGINX = Peer(
    "nginx",
    "nginx as a reverse proxy: maps by token, static wildcard certificate, one worker (physical limit)",
    _start,
    needs_program("nginx", "nginx-light"),
    version_of("nginx", "-v"),
    reverse=True,
)
