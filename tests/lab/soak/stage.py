"""The stage of the soak: workspace, policy and the real proxy with its workers, in one folder."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.bench.processes import StartError, environment, free_port, stop
from lab.workspace.authority import Authority

from .call import GONE, HOST, POLICY

START_S = 60.0
STOP_S = 60.0
LIBFAKETIME = "lib*/**/faketime/libfaketime.so.1"


class Stage:
    """What is running. Made by ``open_stage``."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.ledger_file = folder / "reached.txt"
        self.confdir = folder / "confdir"
        self.output_file = folder / "proxy.log"
        self._workers = workers
        self._rules = folder / "rules" / "policy.yaml"
        self._clock = folder / "clock"
        self._rules.parent.mkdir()
        self._rules.write_text(POLICY)
        authority = Authority(folder / "workspace")
        self._leaf = authority.issue([HOST])
        self._ca = authority.ca_file
        self._workspace: subprocess.Popen[str] | None = None
        self._workspace_port = 0
        self._proxy: subprocess.Popen[bytes] | None = None
        self.faketime = next(Path("/usr").glob(LIBFAKETIME), None)

    # -- the workspace -----------------------------------------------------------------------------------------

    def start_workspace(self) -> None:
        """Start it, on the same port as before. Raises StartError."""
        command = [sys.executable, "-m", "lab.soak.workspace"]
        command += [str(self._leaf.certificate_file), str(self._leaf.key_file)]
        self._workspace = subprocess.Popen(
            [*command, str(self._workspace_port), str(self.ledger_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        assert self._workspace.stdout is not None
        line = self._workspace.stdout.readline()
        if not line:
            raise StartError("the workspace of the soak did not start; its error is above")
        self._workspace_port = int(line)

    def stop_workspace(self) -> None:
        """Kill it."""
        if self._workspace is not None:
            self._workspace.kill()
            self._workspace.wait(STOP_S)
            for stream in (self._workspace.stdin, self._workspace.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()

    @property
    def workspace_pid(self) -> int:
        """Of its process."""
        assert self._workspace is not None
        return self._workspace.pid

    # -- the proxy ---------------------------------------------------------------------------------------------

    def start_proxy(self) -> None:
        """Start supervisor and workers and wait until they listen. Raises StartError with what they printed."""
        command = [sys.executable, "-m", "brickscope.service.supervisor", "--workers", str(self._workers)]
        command += ["--listen-host", "127.0.0.1", "--listen-port", str(self.port)]
        for option in (
            f"confdir={self.confdir}",
            f"scope_rules={self._rules.parent}",
            f"scope_audit_log={self.folder / 'audit.jsonl'}",
            f"scope_hosts=*.cloud.databricks.com,{GONE}",
            f"scope_connect_to={HOST}=127.0.0.1:{self._workspace_port}",
            f"ssl_verify_upstream_trusted_ca={self._ca}",
        ):
            command += ["--set", option]
        settings = environment()
        if self.faketime:
            self.set_clock("+0")
            settings |= {
                "LD_PRELOAD": str(self.faketime),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        with self.output_file.open("wb") as output:
            self._proxy = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=settings,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._proxy.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if len(self.workers()) == self._workers and len(self.log_files()) == self._workers:
                    return
            time.sleep(0.1)
        raise StartError(f"the proxy did not start; it printed:\n{self.output}")

    def stop_proxy(self) -> int:
        """End it as an operator does, gracefully. Returns the exit status."""
        assert self._proxy is not None
        self._proxy.send_signal(signal.SIGTERM)
        return self._proxy.wait(STOP_S)

    @property
    def output(self) -> str:
        """All that the proxy printed."""
        return self.output_file.read_text(errors="replace")

    @property
    def supervisor_pid(self) -> int:
        """Of the process that the workers belong to."""
        assert self._proxy is not None
        return self._proxy.pid

    def workers(self) -> list[int]:
        """Process ids of the workers (Linux: proc(5), ``children``)."""
        pid = self.supervisor_pid
        try:
            return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    async def wait_for_workers(self, without: int | None, none_of: list[int] | None = None) -> None:
        """Wait until all workers are there and listen, none of them one of these. Raises StartError."""
        gone = set(none_of or []) | ({without} if without is not None else set())
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            pids = self.workers()
            if (
                len(pids) == self._workers
                and not gone & set(pids)
                and len(self.logs_of_workers()) == self._workers
            ):
                return
            await asyncio.sleep(0.1)
        raise StartError(f"the workers did not come back; the proxy printed:\n{self.output}")

    # -- what belongs to it ------------------------------------------------------------------------------------

    def log_files(self) -> list[Path]:
        """The files of the audit logs."""
        return sorted(self.folder.glob("audit*.jsonl*"))

    def logs_of_workers(self) -> dict[int, Path]:
        """The open log of each worker, by its process id; not of one that has not opened it yet."""
        found = {}
        for pid in self.workers():
            with contextlib.suppress(OSError):
                for link in Path(f"/proc/{pid}/fd").iterdir():
                    target = link.readlink()
                    if target.parent == self.folder and target.suffix == ".jsonl":
                        found[pid] = target
        return found

    def set_clock(self, offset: str) -> None:
        """Let the proxy's wall clock be off by so much, such as ``+3h`` (libfaketime)."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.replace(self._clock)

    def edit_policy(self, number: int) -> None:
        """Save the policy again: with another comment, or with odd numbers as nonsense."""
        self._rules.write_text(f"# edit {number}\n{'rule_sets: [no policy' if number % 2 else POLICY}")

    def settle_policy(self) -> None:
        """The policy as it was."""
        self._rules.write_text(POLICY)

    def close(self) -> None:
        """End everything."""
        for process in (self._proxy, self._workspace):
            if process is not None and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                stop(process)


@contextmanager
def open_stage(folder: Path, workers: int) -> Iterator[Stage]:
    """Start workspace and proxy in a folder; stop both at the end. Raises StartError."""
    with ExitStack() as cleanup:
        stage = Stage(folder, workers)
        cleanup.callback(stage.close)
        stage.start_workspace()
        stage.start_proxy()
        yield stage
