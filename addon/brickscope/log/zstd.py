"""zstd as Python 3.14 has it (``compression.zstd``), and its backport before that: what every mitmproxy since 12.3 brings.

A few bytes of a zstd file can stand for gigabytes. The library hands out no more than it is asked for, so that no file,
however made, takes more memory than its window, for which it has a bound too (128 MB). A file that was cut is an EOFError.
"""

import io
import sys
from typing import IO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZstdError = zstd.ZstdError


def reader(path: str, size: int) -> io.BufferedReader:
    """The content of a file, of any number of frames, ``size`` bytes at a time. Raises EOFError where the file was cut,
    ZstdError where it was altered, both while it is read."""
    return io.BufferedReader(zstd.ZstdFile(path), size)


def writer(raw: IO[bytes], level: int) -> zstd.ZstdFile:
    """A file that compresses into ``raw``, which stays open, with a checksum."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return zstd.ZstdFile(raw, "w", options=options)
