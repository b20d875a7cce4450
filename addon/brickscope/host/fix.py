"""The lines that fix problems: in the syntax of the user's shell, ready to be pasted, and without a password."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from brickscope.host.proxy_url import ProxyUrl
from brickscope.host.syntax import evaluated, quote, render


def find_shell(environment: Mapping[str, str]) -> str:
    """The syntax of the user's shell: ``sh``, ``fish`` or ``powershell``."""
    if os.name == "nt":
        return "powershell"
    name = Path(environment.get("SHELL", "")).name
    return "fish" if name == "fish" else "powershell" if name == "pwsh" else "sh"


class Fixes(NamedTuple):
    """``proxy``: where clients are to go; None: not known. ``authority``: a file with the proxy's CA; ``bundle``: a file
    of CAs that is right already; None: not known. ``java``: Java is here, so its trust store is made as well. ``first``: a
    line that sets HTTPS_PROXY before, where its password may not be shown."""

    shell: str
    environment: Mapping[str, str]
    proxy: ProxyUrl | None = None
    authority: Path | None = None
    bundle: Path | None = None
    java: bool = False
    first: str = ""

    def everything(self) -> str:
        """Sets every variable, with the bundle behind them."""
        return f"{self.first}; {self._client_env()}" if self.first else self._client_env()

    def _client_env(self) -> str:
        parts = [self._program(), "client-env"]
        if self.proxy is None:
            parts += ["--proxy", "http://PROXY:8080"]
        elif not self.first and not self._holds_proxy():
            parts += ["--proxy", quote(self.proxy.masked, self.shell)]
        if self.bundle is not None:
            parts += ["--bundle", quote(str(self.bundle), self.shell)]
        else:
            file = str(self.authority) if self.authority else "mitmproxy-ca-cert.pem"
            parts += ["--ca", quote(file, self.shell)]
        if self.java:
            parts += ["--java-truststore", quote(str(self._truststore()), self.shell)]
        if self.shell != "sh":
            parts += ["--format", self.shell]
        return evaluated(" ".join(parts), self.shell)

    def assign(self, **variables: str) -> str:
        """Sets these."""
        return "; ".join(render(variables, self.shell).splitlines())

    def copy(self, source: str, target: str) -> str:
        """Gives one variable the value of another, so that a password in it is not shown."""
        if self.shell == "powershell":
            return f"$env:{target} = $env:{source}"
        return f'set -gx {target} "${source}"' if self.shell == "fish" else f'export {target}="${source}"'

    def correct(self, source: str) -> str:
        """Gives HTTPS_PROXY what another variable (or itself) holds, with http:// before it."""
        if self.shell == "powershell":
            return f"$env:HTTPS_PROXY = 'http://' + ($env:{source} -replace '^.*://', '')"
        if self.shell == "fish":
            return f"set -gx HTTPS_PROXY http://(string replace -r '^.*://' '' -- ${source})"
        return f'export HTTPS_PROXY="http://${{{source}#*://}}"'

    def replace(self, name: str, value: str) -> str:
        """Gives a variable a value, or takes it away where nothing is left."""
        return self.assign(**{name: value}) if value else self.unset(name)

    def unset(self, name: str) -> str:
        """Takes a variable away."""
        if self.shell == "powershell":
            return f"Remove-Item Env:{name}"
        return f"set -e {name}" if self.shell == "fish" else f"unset {name}"

    def _holds_proxy(self) -> bool:
        """Whether client-env finds the proxy by itself, in the variable that it looks at first."""
        held = self.environment.get("HTTPS_PROXY") or self.environment.get("https_proxy")
        return self.proxy is not None and held == self.proxy.url

    def _truststore(self) -> Path:
        if self.bundle is not None:
            return self.bundle.with_suffix(".p12")
        return Path(os.path.expanduser("~/.config/brickscope/clients.p12"))  # noqa: PTH111 - a user may have no home

    def _program(self) -> str:
        """How this very program is called."""
        if shutil.which("brickscope", path=self.environment.get("PATH")):
            return "brickscope"
        called = Path(sys.argv[0])
        is_own = called.name.startswith("brickscope") and called.is_file()
        program = quote(str(called.absolute()) if is_own else sys.executable, self.shell)
        if self.shell == "powershell" and program.startswith("'"):
            program = f"& {program}"  # else it is a string and no command
        return program if is_own else f"{program} -m brickscope"
