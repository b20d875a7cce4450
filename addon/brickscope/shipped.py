"""What is shipped beside the code: texts, and tables in YAML."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def text(package: str, *path: str) -> str:
    """A file of a package, without blanks around it."""
    return _read(package, *path).strip()


@cache
def table(package: str, *path: str) -> Any:
    """A YAML file of a package, as plain data that nobody may change."""
    return yaml.load(_read(package, *path), _LOADER)  # noqa: S506 - ours, and the loader is a safe one


def _read(package: str, *path: str) -> str:
    return files(package).joinpath(*path).read_text(encoding="utf-8")
