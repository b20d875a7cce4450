"""The first policy: what it looks like, where it goes, and the words for whoever starts without one."""

from importlib.resources import files
from pathlib import Path

from brickscope.error import OperatorError

START = ("policy.yaml", "policy.test.yaml")
"""The files that a first policy has."""


def write_first(folder: Path) -> list[Path]:
    """Make a first policy in ``folder``: enforced, with a rule set that nobody has yet, and its tests.

    Returns the files. Raises OperatorError where there is a policy already, and OSError.
    """
    made = [folder / name for name in START]
    there = [each for each in (*made, *(folder.glob("*.y*ml") if folder.is_dir() else ())) if each.exists()]
    if there:
        raise OperatorError(f"there is {there[0]} already; name a folder that has no policy yet")
    folder.mkdir(parents=True, exist_ok=True)
    for file in made:
        with file.open("x", encoding="utf-8") as stream:
            stream.write((files(__package__) / "start" / file.name).read_text("utf-8"))
    return made


def how_to_begin(path: Path) -> str:
    """What to do where no policy is. ``path``: the folder that was looked in, or the file."""
    folder = path.parent if path.suffix in (".yaml", ".yml") else path
    return (
        f"There is no policy in {path}. Name its folder (--set scope_rules=FOLDER), or make a first one:\n\n"
        f"    brickscope init {folder}"
    )
