"""Limits on what one payee file may cost: a hostile file is refused before it is unpacked.

>>> FileLimits().columns_max
200
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FileLimits"]


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What a file may be at most.

    Args:
        file_bytes_max: size of the file on disk.
        rows_max: data lines.
        columns_max: columns of the header.
        line_bytes_max: bytes of one record, from its first to its last character in UTF-8.
        unpacked_bytes_max: bytes of all parts of an XLSX after unpacking.
        parts_max: files inside an XLSX.
        ratio_max: unpacked bytes per packed byte of one part of an XLSX.
        text_bytes_max: bytes of the shared texts of an XLSX, which stay in memory.
        block_bytes: bytes that are read and parsed at a time.
    """

    file_bytes_max: int = 8 << 30
    rows_max: int = 50_000_000
    columns_max: int = 200
    line_bytes_max: int = 1 << 20
    unpacked_bytes_max: int = 1 << 30
    parts_max: int = 1_000
    ratio_max: int = 200
    text_bytes_max: int = 128 << 20
    block_bytes: int = 4 << 20
