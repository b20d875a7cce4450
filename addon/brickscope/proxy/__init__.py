"""The only part that knows mitmproxy: hooks, tunnels, streaming, refusing.

Everything here is arranged so that *silence is a refusal*: a request leaves only with a pass that the gate wrote for
these very bytes (``gate.py``), and ``stream.py`` asks for that pass at the one place where a request can leave.
"""
