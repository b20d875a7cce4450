"""The head: the last known end of the log, kept apart from it, so that a log whose end was cut shows at the next start.

One small file beside the signing key, written at every checkpoint. It is no proof (who can write it can cut both), but it
lies in another folder than the log and is checked without anybody asking.
"""

import json
import os
from hashlib import sha256
from pathlib import Path

from .chain import Link
from .closed import private


class HeadFile:
    """Where the head of one log is kept."""

    def __init__(self, folder: Path, log: Path) -> None:
        """``folder``: that of the keys. ``log``: the log's own path, of which the file's name is made."""
        self.path = folder / f"brickscope-head-{sha256(os.fsencode(log)).hexdigest()[:16]}.json"
        self._log = str(log)

    def read(self) -> Link | None:
        """The last known record; None where there is none, or it can't be read."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return Link(str(found["instance"]), int(found["seq"]), str(found["hash"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, head: Link) -> None:
        """Keep it. Raises OSError."""
        draft = self.path.with_suffix(".new")
        content = json.dumps({"log": self._log, **head._asdict()})
        with open(draft, "w", opener=private, encoding="utf-8") as file:
            file.write(content)
        draft.replace(self.path)
