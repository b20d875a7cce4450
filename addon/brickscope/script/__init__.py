"""The script for mitmdump of an installed Brickscope.

It has a folder of its own, since mitmdump puts the folder of its script first on ``sys.path``: no other module may lie
there, or it would stand in for one of the standard library.
"""

from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "scope.py"


def script_path() -> Path:
    """What ``mitmdump -s`` has to load: the checkout's ``addon/scope.py``, or the copy installed with the package."""
    return _CHECKOUT if _CHECKOUT.is_file() else Path(__file__).with_name("scope.py")
