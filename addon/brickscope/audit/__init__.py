"""The audit log: what a record says, and the one place that writes it."""
