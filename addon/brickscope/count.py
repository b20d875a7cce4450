"""Numbers of things, as people write them."""


def counted(number: int, word: str, words: str = "") -> str:
    """``1 rule``, ``2 rules``, ``1,200 rules``. ``words``: the plural, where it is not ``word`` and an s."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"
