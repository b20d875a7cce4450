"""The data path and its life, and the only part that knows mitmproxy.

Everything here is arranged so that *silence is a refusal*: a request leaves only by a ``Cleared`` (``wire/head.py``), which
``ruling.py`` makes once the decision on these very bytes is on record.
"""
