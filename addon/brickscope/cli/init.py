"""``brickscope init``: a first policy, its tests, and what to do next."""

from pathlib import Path

import click

from brickscope.policy.first import write_first

from .command import command


@command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("rules"))
def init_command(folder: Path) -> None:
    """Write a first policy into FOLDER (default: rules): one rule set in enforce mode, its tests, and no token yet.

    Every call is denied until you add a token. No file is overwritten.

    \b
    Exit status: 0 made, 2 there is a policy already or the folder can't be written.

    \b
    Examples:
      brickscope init
      brickscope init /etc/brickscope/rules
    """
    policy, tests = write_first(folder)
    where = "" if folder == Path("rules") else f" --rules {folder}"
    click.echo(f"""\
{policy} is a policy that denies all calls, {tests.name} has its tests. Next:

  1. Name a token by its fingerprint, and put its lines below tokens: in {policy}:
       brickscope fingerprint --yaml nightly-export --rule-set catalog-reader
  2. List under subjects: in {tests} what it may do, and test it:
       brickscope test{where} && brickscope check{where}
  3. Run the proxy, and route a client through it:
       brickscope proxy --set scope_rules={folder}
       eval "$(brickscope client-env --proxy http://127.0.0.1:8080)\"""")
