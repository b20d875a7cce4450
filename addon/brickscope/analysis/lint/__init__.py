"""Lints, one a file. The docstring is the lint's page: ``brickscope check --explain`` prints it."""
