"""Replay: yesterday's calls, judged again under tomorrow's policy by the proxy's own decision function."""
