"""The way of a host's clients to the proxy, tested: what is wrong, and the line that mends it."""
