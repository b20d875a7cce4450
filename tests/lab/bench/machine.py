"""The machine and versions that a measurement is of: without them a number says nothing."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path

import brickscope

from .processes import usable_cores


def describe_machine() -> dict[str, str | int | float]:
    """Processor, memory, system and the load of the last minute."""
    return {
        "cpu": _find("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "cores_usable": len(usable_cores()) or os.cpu_count() or 1,
        "memory": _find("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "load_average": os.getloadavg()[0],
    }


def describe_versions() -> dict[str, str]:
    """What was measured."""
    return {
        "brickscope": brickscope.__version__,
        "python": platform.python_version(),
        "mitmproxy": version("mitmproxy"),
        "orjson": version("orjson"),
        "openssl": ssl.OPENSSL_VERSION,
    }


def _find(file: str, name: str) -> str:
    """The value of the first line ``name: value``; empty where there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
