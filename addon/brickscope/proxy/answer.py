"""Denying a flow: the answer in place of the server's."""

from __future__ import annotations

from mitmproxy import http

from .denial import denial
from .gate import Verdict, header


def answer(flow: http.HTTPFlow, verdict: Verdict) -> None:
    """Deny. The body, if one comes, is read on and dropped (``stream.py``)."""
    fields = flow.request.headers.fields
    # A client that waits for 100 sends no body after a 403, so what follows could not be told from a body.
    waits = bool(header(fields, b"expect")) and flow.client_conn.alpn != b"h2"
    if waits:
        flow.request.headers.pop("expect")
    flow.request.stream = False
    flow.response = denial(
        verdict.decision,
        verdict.decision_id,
        verdict.asked,
        grpc=header(fields, b"content-type").lower().startswith(b"application/grpc"),
        head=flow.request.data.method == b"HEAD",
        close=waits,
    )
