"""What an operator sees: metrics, health and readiness, and the operational log. Free of mitmproxy."""
