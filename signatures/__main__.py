"""The command line: make signatures from crash data or processed crashes, or check list files.

python -m signatures < crash.json                      one JSON document in, one out
python -m signatures --jsonl --explain < crashes.jsonl one object a line in, one object a line out
python -m signatures --lint --lists DIR                say what is wrong with the lists in DIR
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from signatures.crashdata import from_processed_crash, is_processed_crash
from signatures.generator import SignatureGenerator
from signatures.lint import Severity, lint_directory
from signatures.profiles import PROFILES
from signatures.siglists import INCLUDED_DIRECTORY, InvalidSignatureList, SignatureLists

FAILED = 1
MISUSED = 2


class InvalidDocument(ValueError):
    """Input that is no crash data and no processed crash."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the answer is the exit code: 0 fine, 1 some input was unusable, 2 misuse or bad lists."""
    options = _parser().parse_args(arguments)
    try:
        if options.lint:
            return _lint(options.lists, sys.stdout)
        generator = SignatureGenerator(SignatureLists.load(options.lists), options.profile)
    except InvalidSignatureList as exc:
        print(f"signatures: {exc}", file=sys.stderr)
        return MISUSED
    if options.jsonl:
        return _answer_lines(sys.stdin.buffer, sys.stdout, generator, options.explain)
    return _answer_document(sys.stdin.buffer.read(), sys.stdout, generator, options.explain)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m signatures",
        description="Make signatures from crash data or processed crashes, read as JSON from standard input.",
    )
    parser.add_argument(
        "--jsonl", action="store_true", help="read one object a line, write one object a line"
    )
    parser.add_argument("--explain", action="store_true", help="add how each signature came to be")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="default", help="default: %(default)s")
    parser.add_argument(
        "--lists", type=Path, metavar="DIR", help="use the list files in DIR instead of our own"
    )
    parser.add_argument("--lint", action="store_true", help="check the list files instead of reading crashes")
    return parser


def _answer_document(document: bytes, output: TextIO, generator: SignatureGenerator, explains: bool) -> int:
    try:
        answer = _answer(document, generator, explains)
    except InvalidDocument as exc:
        print(f"signatures: {exc}", file=sys.stderr)
        return FAILED
    json.dump(answer, output, indent=2)
    output.write("\n")
    return 0


def _answer_lines(
    lines: Iterable[bytes], output: TextIO, generator: SignatureGenerator, explains: bool
) -> int:
    """Answer each line with a line; one that is unusable is answered by an object with ``error``."""
    code = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            answer = _answer(line, generator, explains)
        except InvalidDocument as exc:
            answer = {"error": str(exc)}
            code = FAILED
        output.write(json.dumps(answer) + "\n")
    return code


def _answer(document: bytes, generator: SignatureGenerator, explains: bool) -> dict[str, Any]:
    try:
        crash = json.loads(document)
    except (ValueError, RecursionError) as exc:
        raise InvalidDocument(
            f"the input is no JSON ({exc}); expected crash data or a processed crash"
        ) from exc
    if not isinstance(crash, dict):
        raise InvalidDocument(f"the input is a JSON {type(crash).__name__}, expected an object")
    crash_data = from_processed_crash(crash) if is_processed_crash(crash) else crash
    return generator.generate(crash_data).to_json(with_explanation=explains)


def _lint(directory: Path | None, output: TextIO) -> int:
    findings = lint_directory(directory or INCLUDED_DIRECTORY)
    for finding in findings:
        print(finding, file=output)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    print(f"{errors} errors, {len(findings) - errors} warnings", file=output)
    return FAILED if errors else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # who reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
