"""Lints: functions, each called as its page, the ``.yaml`` beside it, which ``brickscope check --explain`` prints."""
