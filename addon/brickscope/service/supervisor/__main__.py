"""``python -m brickscope.service.supervisor --workers N FLAGS``: the proxy as several processes on one port."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from brickscope.script import script_path
from brickscope.service.monitoring.address import words
from brickscope.service.monitoring.operational_log import JsonFormatter

from .channel import Plan
from .doorway import Doorway, open_port
from .fleet import Fleet, StartFailed
from .status import FleetStatus
from .systemd import inherited_sockets, notify, watchdog_seconds

logger = logging.getLogger("brickscope.supervisor")


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.option("--workers", type=click.IntRange(1, 256), required=True, metavar="N")
@click.argument("flags", metavar="[FLAGS OF MITMDUMP]", nargs=-1, type=click.UNPROCESSED)
def main(workers: int, flags: tuple[str, ...]) -> None:
    """Run the supervisor. Exit status 0: stopped in good order; 1: it could not start; 2: wrong usage."""
    logging.basicConfig(
        stream=sys.stderr, format="[%(asctime)s.%(msecs)03d] supervisor: %(message)s", datefmt="%H:%M:%S"
    )
    logger.setLevel(logging.INFO)
    inherited = inherited_sockets()
    prepared = subprocess.run(
        [sys.executable, "-m", "brickscope.proxy.preparation", *flags],
        stdout=subprocess.PIPE,
        check=False,
    )
    if prepared.returncode:
        sys.exit(prepared.returncode)
    if not prepared.stdout.endswith(b"}\n"):  # asked for --version or the like
        sys.stdout.write(prepared.stdout.decode())
        sys.exit(0)
    plan = Plan(**json.loads(prepared.stdout.splitlines()[-1]))
    if plan.json_log:
        logging.getLogger().handlers[0].setFormatter(JsonFormatter())
    try:
        doorway = Doorway(inherited or open_port(plan.host, plan.port))
    except OSError as error:
        _fail(str(error))
    command = [
        str(Path(sys.executable).with_name("mitmdump")),
        "-s",
        str(script_path()),
        "--no-server",
        *flags,
    ]
    fleet = Fleet(command, workers, plan.stop_after, doorway)
    doorway.workers = lambda: fleet.serving
    sys.exit(asyncio.run(_run(fleet, doorway, plan.status)))


async def _run(fleet: Fleet, doorway: Doorway, status_address: str) -> int:
    loop = asyncio.get_running_loop()
    asked, hurry = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurry if asked.is_set() else asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, fleet.signal, signal.SIGHUP)
    loop.add_signal_handler(signal.SIGUSR2, fleet.replace_all)
    logger.info("pid %d starts %d workers for %s", os.getpid(), fleet.size, " and ".join(doorway.addresses))
    status = 0
    watched = FleetStatus(fleet, asked.is_set)
    try:
        await watched.start(status_address)
    except OSError as failure:
        doorway.close()
        _fail(f"scope_status: can't listen on {status_address}: {words(failure)}")
    stopping = asyncio.ensure_future(asked.wait())
    tasks: list[asyncio.Task[None]] = []
    starting = asyncio.ensure_future(fleet.start())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        try:
            await starting
        except StartFailed:
            logger.error("a worker can't start: what is above says why. The supervisor ends")
            status = 1
        else:
            notify("READY=1")
            tasks = [asyncio.ensure_future(fleet.keep()), asyncio.ensure_future(_feed_watchdog(fleet))]
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for each in tasks:
                if each.done() and (error := each.exception()):
                    logger.error("%s in the supervisor; it ends: %s", type(error).__name__, error)
                    status = 1
    notify("STOPPING=1")
    for task in (starting, stopping, *tasks):
        task.cancel()
    doorway.close()
    logger.info("stopping %d workers; a second signal ends them at once", len(fleet.workers))
    await fleet.stop(hurry)
    watched.close()
    return status


async def _feed_watchdog(fleet: Fleet) -> None:
    """Tell systemd that all is well while somebody serves; without a watchdog, wait for ever."""
    seconds = watchdog_seconds()
    while True:
        await asyncio.sleep(seconds or 3600)
        if seconds and fleet.serving:
            notify("WATCHDOG=1")


def _fail(message: str) -> None:
    sys.stderr.write(f"Brickscope can't start.\n\n{message}\n\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
