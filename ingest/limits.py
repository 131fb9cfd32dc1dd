"""How much one submission may be."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes are in bytes; all but ``wire_bytes`` are counted after decompression.

    What has no default here is a setting, ``COLLECTOR_REQUEST_BYTES`` and those below it, and has its default there.
    """

    wire_bytes: int
    body_bytes: int
    dump_bytes: int
    annotation_bytes: int
    all_annotations_bytes: int
    parts: int
    #: How many times larger than on the wire a body may become, once it is larger than ``ratio_free_bytes``.
    ratio: int
    ratio_free_bytes: int = 64 * MEGABYTE
    #: Dumps of one submission beyond this many bytes together go to a file.
    memory_bytes: int = 1 * MEGABYTE + 64 * 1024
