"""Trying calls on a policy without traffic: calls as people write them, judged by the proxy's own decision function."""
