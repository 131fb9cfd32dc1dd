"""Crash ids: what they carry, and that every other bit of them is random."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, date, datetime

import pytest

from processing import crashid

DAY = date(2026, 8, 1)


def created_from(dice: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as fixed:
        fixed.setattr(os, "urandom", lambda size: dice[:size])
        return crashid.create(DAY)


def test_a_new_one_is_a_uuid_that_carries_its_day_and_its_throttle_digit() -> None:
    for throttle in (0, 1):
        crash_id = crashid.create(DAY, throttle)
        assert crash_id.endswith(f"{throttle}260801")
        assert crashid.is_valid(crash_id)
        assert crashid.day_of(crash_id) == DAY
        made = uuid.UUID(crash_id)
        assert (made.version, made.variant, str(made)) == (4, uuid.RFC_4122, crash_id)


def test_without_a_day_it_carries_today() -> None:
    before = datetime.now(UTC).date()
    assert before <= crashid.day_of(crashid.create()) <= datetime.now(UTC).date()


def test_the_digit_of_the_variant_and_the_one_after_it_are_independent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = {created_from(bytes([byte]) * 16, monkeypatch)[19:21] for byte in range(256)}
    assert made == {variant + digit for variant in "89ab" for digit in "0123456789abcdef"}


def test_every_bit_that_carries_nothing_is_a_random_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are 25 digits before throttle and day; the version is no random one, the variant half of one."""
    nothing = int(created_from(bytes(16), monkeypatch).replace("-", ""), 16)
    changes = []
    for bit in range(128):
        dice = (1 << bit).to_bytes(16, "big")
        changes.append(nothing ^ int(created_from(dice, monkeypatch).replace("-", ""), 16))
    alone = [change for change in changes if change]
    assert all(change.bit_count() == 1 for change in alone)
    assert len(set(alone)) == len(alone) == 94


@pytest.mark.parametrize(
    "text", ["0b1ec0de-7a11-4f00-8a5e-1c3f50260801", " bp-0b1ec0de-7a11-4f00-8a5e-1c3f50260801\n"]
)
def test_a_prefix_and_blanks_are_left_out(text: str) -> None:
    assert crashid.parse(text) == "0b1ec0de-7a11-4f00-8a5e-1c3f50260801"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0b1ec0de-7a11-4f00-8a5e-1c3f50260832",  # no such day
        "0b1ec0de-7a11-4f00-8a5e-1c3f52260801",  # no such throttle digit
        "0B1EC0DE-7a11-4f00-8a5e-1c3f50260801",
        "0b1ec0de7a114f008a5e1c3f50260801",
        "x" * 1000,
    ],
)
def test_what_is_none_is_refused_with_its_beginning(text: str) -> None:
    assert not crashid.is_valid(text)
    with pytest.raises(crashid.InvalidCrashId) as refused:
        crashid.parse(text)
    assert str(refused.value).startswith(f"{text[:60]!r} is not a crash id")
