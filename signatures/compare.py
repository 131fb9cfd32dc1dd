"""Compare the signature that a processed crash has with the one it would get now, and write down what differs.

This is how a change to a list or a rule is reviewed: old and new side by side for real crashes.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from signatures.crashdata import from_processed_crash
from signatures.generator import SignatureGenerator

CSV_HEADER = ("crashid", "old", "new", "same?", "notes")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The old and the new signature of one crash, the notes of the new one, and how it came to be."""

    crash_id: str
    old: str
    new: str
    notes: tuple[str, ...]
    proto_signature: str
    debug_log: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Say whether the signature stays what it is."""
        return self.old == self.new


class TextOutput(Protocol):
    """Where comparisons are written: an open text file, or what Django gives its commands."""

    def write(self, text: str, /) -> object:
        """Write text that ends in a newline."""


Writer = Callable[[Iterable[Comparison], TextOutput, bool], None]
"""Writes comparisons as they come: (comparisons, output, whether to add how each signature came to be)."""


def compare(crash_id: str, processed_crash: Mapping[str, Any], generator: SignatureGenerator) -> Comparison:
    """Generate the signature of a processed crash again."""
    crash_data = from_processed_crash(processed_crash)
    result = generator.generate(crash_data)
    return Comparison(
        crash_id,
        crash_data["original_signature"],
        result.signature,
        tuple(result.notes),
        result.proto_signature,
        tuple(result.debug_log),
    )


def different_only(comparisons: Iterable[Comparison]) -> Iterator[Comparison]:
    """Leave out the crashes whose signature stays what it is."""
    return (comparison for comparison in comparisons if not comparison.is_same)


def write_text(comparisons: Iterable[Comparison], output: TextOutput, verbose: bool = False) -> None:
    """Write blocks of lines for people to read in a terminal."""
    for each in comparisons:
        lines = [
            f"Crash id: {each.crash_id}",
            f"Original: {each.old}",
            f"New:      {each.new}",
            f"Same?:    {each.is_same}",
            *_indented_block("Notes:   ", each.notes),
        ]
        if verbose:
            lines += _indented_block("Debug:   ", each.debug_log)
            lines += _indented_block("Extra:   ", (f"proto_signature: {each.proto_signature}",))
        output.write("\n".join(lines) + "\n\n")


def write_csv(comparisons: Iterable[Comparison], output: TextOutput, verbose: bool = False) -> None:
    """Write a table with a header, all fields quoted; ``verbose`` adds the columns ``debug`` and ``extra``."""
    writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow((*CSV_HEADER, "debug", "extra") if verbose else CSV_HEADER)
    for each in comparisons:
        row = [each.crash_id, each.old, each.new, str(each.is_same), "\n".join(each.notes)]
        if verbose:
            row += ["\n".join(each.debug_log), each.proto_signature]
        writer.writerow(row)


def write_markdown(comparisons: Iterable[Comparison], output: TextOutput, verbose: bool = False) -> None:
    """Write lists for pasting into a bug tracker."""
    for each in comparisons:
        lines = [
            f"**Crash id:** {_as_code(each.crash_id)}",
            f"**Original:** {_as_code(each.old)}",
            f"**New:** {_as_code(each.new)}",
            f"**Same?:** {each.is_same}",
            f"**Notes:** ({len(each.notes)})",
            *(f"* {_as_code(note)}" for note in each.notes),
        ]
        if verbose:
            lines += [
                f"**Debug:** ({len(each.debug_log)})",
                *(f"* {_as_code(line)}" for line in each.debug_log),
            ]
            lines += [f"**Extra:** {_as_code(each.proto_signature)}"]
        output.write("\n".join(lines) + "\n\n")


FORMATS: dict[str, Writer] = {"text": write_text, "csv": write_csv, "markdown": write_markdown}


def _indented_block(label: str, lines: tuple[str, ...]) -> list[str]:
    return [f"{label} ({len(lines)})", *(f"          {line}" for line in lines)]


def _as_code(text: str) -> str:
    """Write text as a code span, whose fence is longer than any run of back-ticks within."""
    if not text:
        return "(none)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    padding = " " if "`" in text else ""
    return f"{fence}{padding}{text}{padding}{fence}"
