"""The group of all commands."""

import click

import brickscope

from .command import Group

_HEADINGS = {
    "Run": {
        "init": "Write a first policy with its tests.",
        "proxy": "Run the proxy, with one or more worker processes.",
        "demo": "Try it on this machine, with a fake workspace.",
        "ca": "Show and replace the CA that clients trust.",
    },
    "Policy": {
        "check": "Lint the policy, and find what its subjects can gain by it.",
        "explain": "Say why a call is allowed or denied, and who can do what.",
        "test": "Run the policy's tests.",
        "diff": "Compare two versions of a policy by what they allow.",
        "replay": "Judge logged calls again under another policy.",
        "learn": "Propose rules from the calls in the log.",
        "catalog": "Search the operations that rules can name.",
        "fingerprint": "Print the fingerprint of a token.",
        "placeholder": "Make and revoke placeholders, which replace tokens.",
        "whoami": "Say which subject of the policy a token belongs to.",
        "schema": "Print the JSON Schema of policy files, for editors.",
    },
    "Clients": {
        "client-env": "Print the variables that route clients through the proxy.",
        "doctor": "Test this host's clients, and say how to fix them.",
    },
    "Audit": {"audit": "Query, export and verify the audit log."},
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

    Every command that reads the policy takes --rules, a folder or a file (default: the folder rules).

    \b
    Examples:
      brickscope demo                      # see it work: no account needed, nothing is changed
      brickscope init                      # write a first policy, and print the next steps
      brickscope proxy                     # run the proxy on 127.0.0.1:8080 with the policy in rules
      eval "$(brickscope client-env --proxy http://127.0.0.1:8080)"    # route this shell's clients through it
      brickscope doctor                    # test them
      brickscope explain --subject ci jobs.run_now job_id=1012
      brickscope audit summary             # who did what, what was denied and why
    """
