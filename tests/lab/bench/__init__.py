"""Measurements of what a proxied call costs, each beside the bound that it must keep: ``scripts/bench``.

Three benches, from the inside out: ``decisions`` (pure functions), ``hooks`` (all hooks on one flow, without network)
and ``endtoend`` (real proxies, TLS on both sides, against mitmdump without any addon).
"""
