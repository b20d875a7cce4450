"""The protocols of the data path, without input or output: bytes in, a list of events out (``events.py``).

Nothing in here waits, calls back, reads a clock or a file, or knows sockets, TLS or mitmproxy; an import test holds that. So
every rule about where a message ends can be tested by bytes alone, and nothing can be entered again while it runs.
"""
