"""Java and Kotlin: corners that the recorded examples leave out."""

import pytest

from signatures.generator import SignatureGenerator
from signatures.java import from_exception, from_stack_trace, without_java_line, without_line


@pytest.mark.parametrize(
    ("trace", "signature"),
    [
        ("x.Y: ", "x.Y"),
        (": gone\n\tat a.B.c(D.java:1)", "gone at a.B.c(D.java)"),
        ("x.Y: a: b\n\tat a.B.c(D.java:1)", "x.Y: a: b at a.B.c(D.java)"),
        ("x.Y: @0BADF00D\n\tat a.B.c(D.java)", "x.Y: @0BADF00D at a.B.c(D.java)"),
        ("x.Y: v@0badf00d12\n\tat a.B.c(D.java:1)", "x.Y: v@<addr>12 at a.B.c(D.java)"),
        ("x.Y: v@0badf00d", "x.Y: v@<addr>"),
        ("x.Y: z\r\n\tat a.B.c(D.java:1)\r\n", "x.Y: z at a.B.c(D.java)"),
        ("malformed", "malformed"),
    ],
)
def test_stack_traces(trace, signature):
    assert from_stack_trace(trace, without_java_line).text == signature


@pytest.mark.parametrize(("length", "is_kept"), [(255, True), (256, False)])
def test_a_description_is_dropped_when_the_signature_gets_longer_than_255_characters(length, is_kept):
    description = "m" * (length - len("x.Y:  at a.B.c(D.java)"))
    text = from_stack_trace(f"x.Y: {description}\n\tat a.B.c(D.java:1)", without_java_line).text
    assert text == (f"x.Y: {description} at a.B.c(D.java)" if is_kept else "x.Y: at a.B.c(D.java)")


@pytest.mark.parametrize("rest", ["", "\n", "\n\n\tat a.B.c(D.java:1)"])
def test_a_class_without_description_and_method_keeps_its_colon(rest):
    """As specified: what remains of a description that is too long is ``class: method``, also without a method."""
    result = SignatureGenerator(profile="reference").generate({"java_stack_trace": f"x.Y: {'m' * 300}{rest}"})
    assert result.signature == "x.Y:"
    assert "SignatureGenerationRule: JavaSignatureTool: dropped Java exception description due to length" in (
        result.notes
    )


def test_lines_of_every_language_go_in_the_default_profile():
    trace = "x.Y: z\n\tat a.B.c(D.kt:88)"
    assert from_stack_trace(trace, without_line).text == "x.Y: z at a.B.c(D.kt)"
    assert from_stack_trace(trace, without_java_line).text == "x.Y: z at a.B.c(D.kt:88)"


@pytest.mark.parametrize(
    ("stacktrace", "signature"),
    [
        ({"type": "E", "frames": [{"module": "m"}]}, "E: at m"),
        ({"type": "E", "frames": [{"function": "f", "module": ""}]}, "E: at f"),
        ({"type": "E", "frames": None}, "E"),
        ({"type": "", "module": "m", "frames": [{}]}, ": at unknown"),
        ({"value": "secret"}, "Unknown"),
    ],
)
def test_exceptions(stacktrace, signature):
    assert from_exception({"exception": {"values": [{"stacktrace": stacktrace}]}}).text == signature


@pytest.mark.parametrize(
    "exception",
    [
        {},
        "text",
        {"exception": []},
        {"exception": {"values": [{"stacktrace": {}}]}},
        {"exception": {"values": {}}},
    ],
)
def test_exceptions_of_a_wrong_shape(exception):
    assert from_exception(exception).text == "EMPTY: Java exception not in expected format"


def test_java_has_no_frames_and_text_wins_over_structure():
    crash = {
        "java_stack_trace": "x.Y: z",
        "java_exception": {"exception": {}},
        "threads": [{"frames": [{"function": "f"}]}],
    }
    result = SignatureGenerator().generate(crash)
    assert (result.signature, result.normalized_frames, result.proto_signature) == ("x.Y: z", [], "")
