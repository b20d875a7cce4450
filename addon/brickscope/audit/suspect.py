"""Lines that are no whole records, until it is known what to make of them: a gap record may account for them.

However many and however long they are, they take no more memory than a few.
"""

from hashlib import sha256

MAX_SHOWN = 100


class Suspects:
    """Lines of one ``file`` that stand together. ``lines``: the numbers of the first MAX_SHOWN, and why if it is known.
    ``is_torn``: the last one has no line end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[tuple[int, str]] = []
        self.count = 0
        self.is_torn = False
        self._length = 0
        self._hash = sha256()
        self._ending = b""
        self._whole = True

    def add(self, number: int, raw: bytes, why: str = "") -> None:
        """``raw``: the line with its end. ``why``: what it is, if only a part of it is given."""
        if len(self.lines) < MAX_SHOWN:
            self.lines.append((number, why))
        self.count += 1
        self.is_torn = not raw.endswith(b"\n")
        self._whole = self._whole and not why
        self._length += len(raw)
        self._hash.update(self._ending + raw.removesuffix(b"\n"))
        self._ending = b"" if self.is_torn else b"\n"

    def accounted_by(self, length: object, digest: object) -> bool:
        """Whether these are so many bytes with this SHA-256, without the line end of the last."""
        return self._whole and length == self._length - len(self._ending) and digest == self._hash.hexdigest()
