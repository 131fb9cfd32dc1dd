from __future__ import annotations

import pytest

from crashstats import env


def read(value: str, convert, **extra):
    return env.Environment({"THING": value}).read(
        "THING", convert, default="1", doc="a thing in seconds.", **extra
    )


def test_a_bad_value_is_named_with_what_it_should_be():
    with pytest.raises(
        env.BadSetting, match=r"THING='soon': not a whole number\. It is a thing in seconds\."
    ):
        read("soon", env.whole_number)


def test_a_secret_is_never_repeated():
    with pytest.raises(env.BadSetting) as caught:
        read("hunter2", env.whole_number, secret=True)
    assert "hunter2" not in str(caught.value)


def test_empty_means_the_default():
    assert read("  ", env.whole_number) == 1


@pytest.mark.parametrize("value", ["-1", "1.5", "١", "", "0x10"])
def test_whole_numbers_are_plain_digits(value):
    with pytest.raises(ValueError, match="not a whole number"):
        env.whole_number(value)


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)]
)
def test_booleans_are_words_or_digits(value, expected):
    assert env.boolean(value) is expected


def test_ports_end_at_65535():
    assert env.port("65535") == 65535
    with pytest.raises(ValueError, match="not a port"):
        env.port("65536")


def test_words_are_split_at_commas_without_blanks_and_empties():
    assert env.words(" a, b ,,c") == ["a", "b", "c"]


def test_a_positive_number_is_not_zero():
    assert env.positive_number("1") == 1
    with pytest.raises(ValueError, match="not above zero"):
        env.positive_number("0")
