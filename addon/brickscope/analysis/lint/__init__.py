"""Lints, one a file. The ``.yaml`` beside it is its page: ``brickscope check --explain`` prints it."""
