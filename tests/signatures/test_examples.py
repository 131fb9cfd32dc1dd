"""The reference profile agrees with every recorded example, as a library and from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from signatures.frames import ReferenceFrames
from signatures.generator import SignatureGenerator
from tests.signatures.examples import CRASH_EXAMPLES, FRAME_EXAMPLES, small_lists, stack, write_lists

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reference():
    return SignatureGenerator(small_lists(), profile="reference")


@pytest.mark.parametrize("example", FRAME_EXAMPLES, ids=lambda each: str(each["input"].get("function")))
def test_frame_text_is_the_recorded_one(example):
    frames = ReferenceFrames(shows_line=lambda _text: False)
    assert frames.describe(example["input"]).text == example["normalized"]


@pytest.mark.parametrize("example", CRASH_EXAMPLES, ids=lambda each: each["signature"][:60] or "nothing")
def test_crash_gets_the_recorded_signature_and_notes(reference, example):
    result = reference.generate(example["input"])
    assert (result.signature, result.notes) == (example["signature"], example["notes"])
    if "proto_signature" in example:
        assert result.proto_signature == example["proto_signature"]


def test_command_line_answers_every_example_line_for_line(tmp_path):
    frame_crashes = [stack(example["input"]) for example in FRAME_EXAMPLES]
    crashes = [example["input"] for example in CRASH_EXAMPLES] + frame_crashes
    command = [sys.executable, "-m", "signatures", "--jsonl", "--profile", "reference"]
    finished = subprocess.run(
        [*command, "--lists", str(write_lists(tmp_path))],
        input="".join(json.dumps(crash) + "\n" for crash in crashes),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
    )
    answers = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(answers) == len(crashes)
    for example, answer in zip(CRASH_EXAMPLES, answers, strict=False):
        assert (answer["signature"], answer["notes"]) == (example["signature"], example["notes"])
    protos = [answer["proto_signature"] for answer in answers[len(CRASH_EXAMPLES) :]]
    assert protos == [example["normalized"] for example in FRAME_EXAMPLES]


def test_input_is_not_changed_and_the_answer_repeats(reference):
    for example in CRASH_EXAMPLES:
        before = json.dumps(example["input"])
        first = reference.generate(example["input"]).to_json(with_explanation=True)
        assert reference.generate(example["input"]).to_json(with_explanation=True) == first
        assert json.dumps(example["input"]) == before
