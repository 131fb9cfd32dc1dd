"""``python -m signatures``."""

import io
import json

import pytest

from signatures.__main__ import main
from tests.signatures.examples import stack, write_lists


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments, given=b""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def test_one_document_in_one_out(run):
    code, output, _ = run(given=json.dumps(stack("a(int)", hang="ui")).encode())
    assert code == 0
    assert json.loads(output) == {"signature": "hang: ui | a", "proto_signature": "a", "notes": []}


def test_processed_crash_is_recognised(run):
    crash = {"json_dump": stack("a()"), "hang": "ui"}
    assert json.loads(run(given=json.dumps(crash).encode())[1])["signature"] == "hang: ui | a"


def test_lines_are_answered_in_order_and_bad_ones_by_an_error(run):
    lines = [json.dumps(stack("a()")), "nonsense", "[1]", "", json.dumps(stack("b()"))]
    code, output, _ = run("--jsonl", given="\n".join(lines).encode() + b"\n\xff\n")
    answers = [json.loads(line) for line in output.splitlines()]
    assert [answer.get("signature") for answer in answers] == ["a", None, None, "b", None]
    assert answers[2] == {"error": "the input is a JSON list, expected an object"}
    assert code == 1


def test_explanation_is_added_on_request(run):
    given = json.dumps(stack("a()")).encode()
    answer = json.loads(run("--jsonl", "--explain", given=given)[1])
    assert answer["explanation"]["frames"][0]["decision"] == "end"
    assert "explanation" not in json.loads(run("--jsonl", given=given)[1])


def test_profile_and_lists_are_chosen(run, tmp_path):
    given = json.dumps(stack("operator new(int)", "x()")).encode()
    assert json.loads(run(given=given)[1])["signature"] == "operator new | x"
    arguments = ("--profile", "reference", "--lists", write_lists(tmp_path))
    assert json.loads(run(*arguments, given=given)[1])["signature"] == "new"


def test_document_that_is_no_json_is_refused(run):
    code, output, error = run(given=b"nonsense")
    assert (code, output) == (1, "")
    assert error.startswith("signatures: the input is no JSON (")


def test_missing_lists_are_misuse(run, tmp_path):
    code, _, error = run("--lists", tmp_path, given=b"{}")
    assert code == 2
    assert "cannot be read" in error


def test_lint_reports_and_fails_on_errors_only(run, tmp_path):
    assert run("--lint") == (0, "0 errors, 0 warnings\n", "")
    write_lists(tmp_path, irrelevant_signature_re=["(a)bcde", "send"])
    code, output, _ = run("--lint", "--lists", tmp_path)
    assert code == 1
    assert output.splitlines()[0].startswith(
        "irrelevant_signature_re.txt:1: error: '(a)bcde' uses a numbered"
    )
    assert output.splitlines()[-1].startswith("1 errors, ")
