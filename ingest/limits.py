"""How much one submission may be."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes; all but ``wire_bytes`` are counted after decompression."""

    wire_bytes: int = 25 * MEGABYTE
    body_bytes: int = 200 * MEGABYTE
    dump_bytes: int = 200 * MEGABYTE
    annotation_bytes: int = 20 * MEGABYTE
    all_annotations_bytes: int = 25 * MEGABYTE
    parts: int = 2000
    #: How many times larger than on the wire a body may become, once it is larger than ``ratio_free_bytes``.
    ratio: int = 150
    ratio_free_bytes: int = 64 * MEGABYTE
    #: Dumps of one submission beyond this many bytes together go to a file.
    memory_bytes: int = 1 * MEGABYTE + 64 * 1024
