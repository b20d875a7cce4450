"""The group of all commands."""

from __future__ import annotations

import click

import brickscope

from .command import Group

_HEADINGS = {
    "Run": {
        "init": "Make a first policy, with its tests.",
        "proxy": "Run the proxy, with any number of worker processes.",
        "demo": "Show all of it at work, on this machine alone.",
        "ca": "The CA that clients trust, and the way to the next one.",
    },
    "Policy": {
        "check": "What the policy does without anybody meaning it.",
        "explain": "Why a call is allowed or denied, and who can do what.",
        "test": "Run the tests beside the policy.",
        "diff": "What an edit changes in meaning.",
        "replay": "Yesterday's calls, judged again under another policy.",
        "learn": "Rules from what the log shows.",
        "catalog": "Operations of the API, by which rules name them.",
        "fingerprint": "What names a token in a policy.",
        "placeholder": "What clients hold in the place of a token: make one, revoke one.",
        "whoami": "Which subject of the policy a token is, and why.",
        "schema": "The JSON Schema of policy files, for editors.",
    },
    "Clients": {
        "client-env": "Settings that lead all clients through the proxy.",
        "doctor": "What keeps the clients of this host from the proxy.",
    },
    "Audit": {"audit": "Read the log, export it, and prove that it is whole."},
}


@click.group(
    "brickscope",
    cls=Group,
    package=__package__,
    headings=_HEADINGS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(brickscope.__version__, prog_name="brickscope")
def main() -> None:
    """Give any Databricks token the scope that Databricks cannot express.

    The policy is given in the same way everywhere: --rules FOLDER (or a file), by default the folder 'rules'.

    \b
    Examples:
      brickscope init                      # a first policy, and what to do next
      brickscope proxy --set scope_rules=/etc/brickscope/rules
      brickscope check                     # what the policy allows without anybody meaning it
      brickscope explain --subject ci jobs.run_now job_id=1012
      brickscope client-env --proxy http://10.0.8.2:8080   # settings for all clients
      brickscope audit summary             # who did what, what was refused and why
    """
