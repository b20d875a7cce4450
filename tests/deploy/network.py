"""Two network namespaces joined by a cable: a host or pod where packet filters really hold, and what it wants to reach.
Nothing in them reaches this machine. The programs below run there, by the system's Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

PORTS = (443, 444, 8080)

SERVER = r"""
import json, socket, subprocess, sys, threading
addresses, ports = json.loads(sys.argv[1]), json.loads(sys.argv[2])
def run(line): subprocess.run(line.split(), check=True)
print('there', flush=True)
sys.stdin.readline()  # the cable is in
run('ip link set lo up'); run('ip link set far up')
run('ip address add 10.255.0.1/30 dev far'); run('ip -6 address add fd00::1/64 dev far nodad')
for address in addresses:
    run(f'ip address add {address} dev lo' + (' nodad' if ':' in address else ''))
def echo(sock):
    while True:
        data, peer = sock.recvfrom(100)
        sock.sendto(data, peer)
listening = []
for address in addresses:
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    for port in ports:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.bind((address, port)); sock.listen(20); listening.append(sock)
    sock = socket.socket(family, socket.SOCK_DGRAM); sock.bind((address, 443))
    threading.Thread(target=echo, args=(sock,), daemon=True).start()
print('listening', flush=True)
sys.stdin.readline()
"""

HOST = r"""
import json, socket, subprocess, sys
SERVER, CONNECT, rules, addresses, ports, attempts = json.loads(sys.argv[1])
def run(line, **how): subprocess.run(line.split(), check=True, **how)
run('ip link set lo up')
far = subprocess.Popen(['unshare', '--net', sys.executable, '-I', '-c', SERVER, json.dumps(addresses), json.dumps(ports)],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
try:
    assert far.stdout.readline().strip() == 'there'
    run('ip link add name near type veth peer name far'); run(f'ip link set far netns {far.pid}')
    run('ip link set near up'); run('ip address add 10.255.0.2/30 dev near')
    run('ip -6 address add fd00::2/64 dev near nodad')
    far.stdin.write('\n'); far.stdin.flush()
    assert far.stdout.readline().strip() == 'listening'
    run('ip route add default via 10.255.0.1'); run('ip -6 route add default via fd00::1')
    own = [socket.create_server(('127.0.0.1', port)) for port in ports]
    for each in rules:
        run('nft -f -', input=each, text=True)
    found = []
    for attempt in attempts:
        done = subprocess.run([sys.executable, '-I', '-c', CONNECT, *map(str, attempt)], capture_output=True, text=True)
        found.append(done.stdout.strip() or done.stderr)
    print(json.dumps(found))
finally:
    far.kill()
"""

CONNECT = r"""
import errno, os, socket, sys
user, target, port, kind = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
os.setgroups([]); os.setgid(user); os.setuid(user)
family = socket.AF_INET6 if ':' in target else socket.AF_INET
client = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
client.settimeout(5)
try:
    client.connect((target, port))
    if kind == 'udp':
        client.send(b'x')
        client.recv(1)
    print('reached')
except TimeoutError:
    print('silent')
except OSError as error:
    print(errno.errorcode[error.errno])
"""


class Attempt(NamedTuple):
    """A connection that a user of the host (a number) tries. ``kind``: tcp or udp."""

    user: int
    address: str
    port: int = 443
    kind: str = "tcp"


def outcomes(rules: Sequence[str], addresses: Sequence[str], attempts: Sequence[Attempt]) -> list[str]:
    """Load files of nftables rules on a host that reaches ``addresses`` over its cable, and make the attempts in turn.

    TCP ports 443, 444 and 8080 and UDP port 443 answer on every address, and the TCP ports on the host's own 127.0.0.1.
    What came of each: ``reached``, the name of the error, or ``silent``. Needs root.
    """
    given = json.dumps(
        [SERVER, CONNECT, list(rules), list(addresses), PORTS, [list(each) for each in attempts]]
    )
    done = subprocess.run(
        ["unshare", "--net", "/usr/bin/python3", "-I", "-c", HOST, given],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found
