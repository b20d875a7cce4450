"""The pure part: requests, credentials, rules and decisions.

Nothing here imports mitmproxy, opens a file or reads a clock. Plain records go in, plain records come out, so that
everything that is hard can be tested with literals.

A request's way through this package, top to bottom::

    WireRequest (what will be sent) -> request.read -> ApiRequest -> decide.decide(policy, ...) -> Decision
"""
