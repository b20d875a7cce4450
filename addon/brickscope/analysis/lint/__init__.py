"""Lints. The ``.yaml`` of a lint's name is its page: ``brickscope check --explain`` prints it."""
