"""The product beside other proxies with equal rules, on the same load: what a proxied call costs elsewhere.

``squid``, ``interception`` (proxy.py), ``nginx`` and ``haproxy`` each write the bench's policy in their own language;
``rounds`` runs all in alternation, ``document`` writes what came of it into ``docs/performance.md``.
"""
