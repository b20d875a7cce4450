"""The command ``brickscope``: one file a command."""
