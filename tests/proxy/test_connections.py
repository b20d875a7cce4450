"""Which protocol layer is chosen where a whole connection can't easily be brought about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.connection import ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.tls import ServerTLSLayer
from mitmproxy.test import tflow

from brickscope.proxy.connections import Connections
from brickscope.proxy.engine import Refuse
from brickscope.proxy.stream import GatedStream

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01"


@pytest.mark.parametrize(
    ("state", "chosen"),
    [(ConnectionState.OPEN, ServerTLSLayer), (ConnectionState.CLOSED, Refuse)],
    ids=["a client that is there", "a client that left after its first bytes of TLS"],
)
def test_tls_is_begun_only_with_a_client_that_is_there(state: ConnectionState, chosen: type) -> None:
    client = tflow.tclient_conn()
    client.state = state
    context = Context(client, Options())
    gate: Any = SimpleNamespace()
    GatedStream(context, 1, gate)
    question = layer.NextLayer(context)
    question.events.append(events.DataReceived(client, CLIENT_HELLO))
    Connections(gate).next_layer(question)
    assert type(question.layer) is chosen
