"""The group of commands."""

from __future__ import annotations

import click

import brickscope

from .audit import audit_command
from .ca import ca_command
from .catalog import catalog_command
from .check import check_command
from .client_env import client_env_command
from .demo import demo_command
from .diff import diff_command
from .doctor import doctor_command
from .explain import explain_command
from .fingerprint import fingerprint_command
from .learn import learn_command
from .proxy import proxy_command
from .replay import replay_command
from .schema import schema_command
from .test import test_command
from .whoami import whoami_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(brickscope.__version__, prog_name="brickscope")
def main() -> None:
    """Give any Databricks token the scope that Databricks cannot express.

    \b
    Examples:
      brickscope fingerprint               # asks for a token, hidden
      brickscope whoami --rules rules      # which subject of the policy a token is, and why
      brickscope audit summary             # who did what, what was refused and why
      brickscope ca show                   # the CA that clients trust, and the way to the next one
      brickscope catalog search run job    # operations by words, or by METHOD URL
      brickscope check                     # what the policy allows without anybody meaning it
      brickscope client-env --proxy http://10.0.8.2:8080   # settings for all clients
      brickscope demo                      # all of it at work, on this machine alone
      brickscope diff HEAD:rules rules     # what an edit changes in meaning
      brickscope doctor                    # what keeps this host's clients from the proxy
      brickscope explain --subject ci jobs.run_now job_id=1012
      brickscope learn --subject ci --rules rules   # rules from what the log shows
      brickscope proxy --set scope_rules=/etc/brickscope/rules
      brickscope replay --policy candidate # yesterday's calls, judged again
      brickscope schema > policy.schema.json
      brickscope test                      # the tests beside the policy
    """


main.add_command(audit_command)
main.add_command(ca_command)
main.add_command(catalog_command)
main.add_command(check_command)
main.add_command(client_env_command)
main.add_command(demo_command)
main.add_command(diff_command)
main.add_command(doctor_command)
main.add_command(explain_command)
main.add_command(fingerprint_command)
main.add_command(learn_command)
main.add_command(proxy_command)
main.add_command(replay_command)
main.add_command(schema_command)
main.add_command(test_command)
main.add_command(whoami_command)
