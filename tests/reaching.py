"""Properties that say how many of their examples come as far as what they assert.

A property whose examples all stop before its assertions holds for any code. So one that does not assert something of
each example is written with ``reaching``, and fails where too few get there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis.strategies import SearchStrategy


def reaching(
    share: float, *strategies: SearchStrategy[Any], **named: SearchStrategy[Any]
) -> Callable[[Callable[..., bool]], Callable[..., None]]:
    """As ``given``, for a property that returns whether its example came as far as its assertions.

    Fails if less than ``share`` of the examples did (0 to 1). ``settings`` and ``example`` belong below it.
    """

    def decorate(holds: Callable[..., bool]) -> Callable[..., None]:
        tried, reached = [0], [0]

        @functools.wraps(holds)
        def one(*args: Any, **kwargs: Any) -> None:
            came = holds(*args, **kwargs)
            assert isinstance(came, bool), "the property has to return whether it reached its assertions"
            tried[0] += 1
            reached[0] += came

        every = given(*strategies, **named)(one)

        @functools.wraps(every)
        def test(*args: Any, **kwargs: Any) -> None:
            tried[0] = reached[0] = 0
            every(*args, **kwargs)
            assert reached[0] >= share * tried[0], (
                f"{reached[0]} of {tried[0]} examples reached the assertions"
            )

        return test

    return decorate
