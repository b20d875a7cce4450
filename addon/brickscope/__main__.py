"""``python -m brickscope``: the commands, where no program of that name is on the path."""

from brickscope.cli.main import main

main(prog_name="brickscope")
