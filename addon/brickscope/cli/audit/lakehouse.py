"""``brickscope audit lakehouse``: the SQL that takes the log to Databricks, to be run there."""

from pathlib import Path

import click

from brickscope.audit.lakehouse import policy_sql
from brickscope.audit.queries import names, query
from brickscope.cli.command import command
from brickscope.cli.options import load_rules, rules_option
from brickscope.policy.problem import nearest

_POLICY = "policy"


@command("lakehouse")
@click.argument("name", required=False)
@rules_option("For 'policy': the policy whose subjects and rules are printed.", optional=True)
def lakehouse_command(name: str | None, rules: Path | None) -> None:
    """Print SQL for Databricks or Spark; without NAME, list it.

    First table or stream, then views, setup and policy; the others are queries. See docs/lakehouse.md.

    \b
    Exit status: 0 printed, 2 there is no such SQL, or the policy does not load.

    \b
    Examples:
      brickscope audit lakehouse
      brickscope audit lakehouse table
      brickscope audit lakehouse policy --rules rules > policy.sql
      brickscope audit lakehouse bypass
    """
    known = names()
    if (name == _POLICY) is not (rules is not None):
        raise click.UsageError(
            "'policy' and --rules go together: brickscope audit lakehouse policy --rules rules"
        )
    if rules is not None:
        click.echo(policy_sql(load_rules(rules).policy), nl=False)
    elif name is None:
        width = max(map(len, known))
        for each, path in known.items():
            title = query(path).partition("\n")[0].removeprefix("-- ")
            click.echo(f"{each:{width}}  {title}")
        click.echo(f"{_POLICY:{width}}  What of a policy the queries need, with --rules RULES.")
    elif name in known:
        click.echo(query(known[name]))
    else:
        hint = nearest(name, [*known, _POLICY]) or "without a name it lists them"
        raise click.UsageError(f"there is no SQL {name!r} ({hint})")
