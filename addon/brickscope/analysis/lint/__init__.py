"""Lints: functions, each with the name of its page ``NAME.yaml``, which ``brickscope check --explain`` prints."""
