"""Documents of Databricks hosts, kept: fetched once for all who wait, again ahead of time, and not too often.

Nothing here decides. ``look`` answers from memory and never waits; ``fetch`` waits, and only for its own document.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from .fetch import FetchError

REFRESH_S = 600.0
"""From this age on a document is fetched again, in the background, when it is next used."""
KEEP_S = 3600.0
"""Older than this it counts for nothing: its host could not be reached for an hour."""
BURST = 4
REFILL_S = 15.0
"""How often one document may be fetched: this many times at once, then once in so many seconds. Anybody can make
requests that seem to need a fetch (an unknown key id), so a limit stands between them and the host."""
MAX_DOCUMENTS = 256

Fetch = Callable[[str], Awaitable[bytes | None]]


class Allowance:
    """A limit of BURST at once and one in REFILL_S seconds after that."""

    __slots__ = ("_counted", "_left")

    def __init__(self, now: float) -> None:
        self._left, self._counted = float(BURST), now

    def is_left(self, now: float) -> bool:
        """Whether one more is within the limit; does not count it."""
        return self._left + (now - self._counted) / REFILL_S >= 1

    def take(self, now: float) -> bool:
        """Count one more. Returns whether it was within the limit."""
        self._left = min(float(BURST), self._left + (now - self._counted) / REFILL_S)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Document[Content]:
    """One document and its state. ``content`` is None before the first success."""

    __slots__ = ("allowance", "content", "error", "fetched", "raw", "task", "used")

    def __init__(self, now: float) -> None:
        self.content: Content | None = None
        self.raw: bytes | None = None
        self.error = "it was not fetched yet"
        self.fetched = 0.0
        self.used = now
        self.task: asyncio.Task[None] | None = None
        self.allowance = Allowance(now)

    def may_fetch(self, now: float) -> bool:
        """Whether a fetch is under way, or within the limit; does not count it."""
        return self.task is not None or self.allowance.is_left(now)


class Documents[Content]:
    """Documents of one kind, by URL. ``read`` makes the content of the bytes; it may raise ValueError with words.

    ``now`` is always monotonic seconds.
    """

    def __init__(
        self,
        fetch: Fetch,
        read: Callable[[bytes | None], Content],
        on_fetched: Callable[[str, Content | None, str], None] = lambda url, content, error: None,
    ) -> None:
        self._fetch = fetch
        self._read = read
        self._on_fetched = on_fetched
        self._documents: dict[str, Document[Content]] = {}

    def look(self, url: str) -> Document[Content]:
        """What is known of a document now; begins to fetch it again if it is getting old."""
        now = time.monotonic()
        document = self._documents.get(url)
        if document is None:
            document = self._documents[url] = Document(now)
            self._make_room()
        document.used = now
        if document.content is not None and now - document.fetched > REFRESH_S:
            if now - document.fetched > KEEP_S:
                document.content = None
            elif document.task is None and document.may_fetch(now):
                self._begin(url, document)
        return document

    async def fetch(self, url: str) -> None:
        """Fetch a document, or wait for the fetch that is under way. Raises nothing: look at it afterwards."""
        document = self.look(url)
        task = document.task or self._begin(url, document)
        await asyncio.shield(task)  # one client that leaves does not take the document from the others

    def _begin(self, url: str, document: Document[Content]) -> asyncio.Task[None]:
        document.allowance.take(time.monotonic())
        document.task = asyncio.get_running_loop().create_task(self._run(url, document))
        return document.task

    async def _run(self, url: str, document: Document[Content]) -> None:
        content: Content | None = None
        try:
            raw = await self._fetch(url)
            # The same bytes are the same object: what was checked with it need not be checked again.
            content = document.content if raw == document.raw else None
            content, document.raw = content or self._read(raw), raw
        except (FetchError, ValueError) as error:
            document.error = str(error)
        except Exception as error:
            document.error = f"{type(error).__name__} while it was fetched"
        finally:
            document.task = None
        if content is not None:
            document.content, document.fetched, document.error = content, time.monotonic(), ""
        self._on_fetched(url, content, document.error)

    def _make_room(self) -> None:
        """Forget the one that was not used for longest; those that never were had go first."""
        if len(self._documents) > MAX_DOCUMENTS:
            idle = [url for url, document in self._documents.items() if document.task is None]
            newest = next(reversed(self._documents))
            gone = min(
                (url for url in idle if url != newest),
                key=lambda url: (self._documents[url].content is not None, self._documents[url].used),
                default=None,
            )
            if gone is not None:
                del self._documents[gone]
