"""What somebody who runs Brickscope gave it, and it can't use."""


class OperatorError(Exception):
    """A policy, log, key, option or file that can't be used. The message is for people: what is wrong, where, and what to
    write instead; it holds no secret. Commands say it and end with status 2."""
