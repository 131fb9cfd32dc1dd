"""The recorded examples of the reference's behaviour, and the small lists they were recorded with."""

import json
from pathlib import Path
from typing import Any

from signatures.siglists import LIST_NAMES, SignatureLists

EXAMPLES_FILE = Path(__file__).parent / "data" / "signatures-examples.jsonl"

EXAMPLES: list[dict[str, Any]] = [json.loads(line) for line in EXAMPLES_FILE.read_text().splitlines()]
FRAME_EXAMPLES = [example for example in EXAMPLES if example["kind"] == "frame"]
CRASH_EXAMPLES = [example for example in EXAMPLES if example["kind"] == "crash"]
LIST_PATTERNS: dict[str, list[str]] = next(each["lists"] for each in EXAMPLES if each["kind"] == "lists")


def small_lists() -> SignatureLists:
    """Build the lists that the crash examples were recorded with."""
    return SignatureLists.of(*(LIST_PATTERNS[name] for name in LIST_NAMES))


def write_lists(directory: Path, **changed: list[str]) -> Path:
    """Write the small lists as files into a directory, with other entries for the lists named."""
    for name, patterns in (LIST_PATTERNS | changed).items():
        (directory / f"{name}.txt").write_text("\n".join(patterns) + "\n")
    return directory


def stack(*functions: str | dict[str, Any], **crash: Any) -> dict[str, Any]:
    """Make crash data with one thread; a frame is a function or a whole frame."""
    frames = [{"function": each} if isinstance(each, str) else each for each in functions]
    return {"threads": [{"frames": frames}], "crashing_thread": 0, **crash}
