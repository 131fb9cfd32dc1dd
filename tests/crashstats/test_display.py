import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from crashstats import display
from crashstats.charts import daily_chart, days_between
from crashstats.links import product_home, with_query
from crashstats.reports.stacks import describe_function, describe_source, emphasize, short_hex
from crashstats.templatetags.crashtags import pieces


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (12, "12"),
        (["a", 1], '["a", 1]'),
        ("plain\ttxt\n", "plain\ttxt\n"),
        ("gp\u202ej.exe\x00", "gp\\u202ej.exe\\u0000"),
        ("\ud83d", "\\ud83d"),
        ("x" * 12, "xxxxxxxxxx… (2 more characters)"),
    ],
)
def test_text_is_bounded_and_hides_nothing(value, shown):
    assert display.text(value, limit=10) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "60 seconds (1 minute)"),
        ("125", "125 seconds (2 minutes, 5 seconds)"),
        (90_061, "90,061 seconds (1 day, 1 hour)"),
        (-70, "-70 seconds (minus 1 minute, 10 seconds)"),
        ("soon", "soon"),
        (math.nan, "nan"),
        (None, ""),
    ],
)
def test_durations_are_spelled(value, shown):
    assert display.duration(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (999, "999 bytes"),
        (1_000, "1,000 bytes (1.00 kB)"),
        (999_999, "999,999 bytes (1.00 MB)"),
        ("12345678", "12,345,678 bytes (12.35 MB)"),
        (-5_000, "-5,000 bytes (-5.00 kB)"),
        (10**40, f"{10**40:,} bytes (1.00 EB)"),
        ("much", "much"),
    ],
)
def test_sizes_have_decimal_units(value, shown):
    assert display.byte_size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-08-01T12:34:56.789+02:00", "2026-08-01 10:34:56 UTC"),
        ("2026-08-01T12:34:56", "2026-08-01 12:34:56 UTC"),
        (datetime(2026, 8, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-07-31 23:00:00 UTC"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("yesterday", "yesterday"),
        ({}, "{}"),
    ],
)
def test_moments_are_utc(value, shown):
    assert display.moment(value) == shown


def test_epochs_build_ids_and_booleans_stay_as_they_are_when_they_make_no_sense():
    assert display.epoch("1700000000") == "2023-11-14 22:13:20 UTC"
    assert display.epoch("1e99") == "1e99"
    assert display.build_id("20260801123456") == "20260801123456 (2026-08-01)"
    assert display.build_id("20269901123456") == "20269901123456"
    assert display.build_id("77") == "77"
    assert (display.yes_no("1"), display.yes_no(False), display.yes_no("maybe")) == ("yes", "no", "maybe")


@pytest.mark.parametrize(
    ("address", "may_be_linked"),
    [
        ("https://a.example/b?c#d", True),
        ("http://a.example", True),
        ("javascript:alert(1)", False),
        ("https://a b", False),
        ("https:\\\\evil.example", False),
        ("ftp://a.example", False),
        (None, False),
    ],
)
def test_only_plain_web_addresses_may_be_linked(address, may_be_linked):
    assert bool(display.web_address(address)) is may_be_linked


@pytest.mark.parametrize(
    "function",
    [
        "[ns::f]<int>(char) const",
        "[Foo::operator()](int)",
        "[operator<<]<int>(a)",
        "[(anonymous namespace)::g]()",
        "[<lambda()>]",
        "<Vec<T> as Index<I>>[::index]",
        "[x]<(y",
        "[main]",
        "[ns::F]<void (A const&)>[::_M_invoke](std::_Any_data const&)",
        "[a->b]",
    ],
)
def test_names_stand_out_from_arguments(function):
    parts = emphasize(function.replace("[", "").replace("]", ""))
    assert "".join(f"[{part.text}]" if part.is_name else part.text for part in parts) == function


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        ({"function": "f(char *, int &,long ,x)"}, "f(char*, int&, long, x)"),
        ({"file": "a.c", "line": 7, "module": "m"}, "a.c#7"),
        ({"module": "m", "module_offset": "0x0000000000001200"}, "m@0x1200"),
        ({"unloaded_modules": [{"module": "u", "offsets": ["0x0010"]}]}, "(unloaded u@0x10)"),
        ({"offset": "0x0000000000000000"}, "@0x0"),
        ({}, ""),
    ],
)
def test_a_frame_is_named_by_the_best_that_is_known(frame, shown):
    assert describe_function(frame) == shown


@pytest.mark.parametrize(
    ("file", "shown", "link"),
    [
        (
            "hg:hg.mozilla.org/mozilla-central:dom/f.cpp:abc",
            "dom/f.cpp:7",
            "https://hg.mozilla.org/mozilla-central/file/abc/dom/f.cpp#l7",
        ),
        (f"s3:bucket:{'0' * 128}/gen/f.rs:", "gen/f.rs:7", ""),
        ("c:\\src\\f.cpp", "c:\\src\\f.cpp:7", ""),
        ("git:github.com/a/b:x/../../c:1", "x/../../c:7", ""),
        ("", "", ""),
    ],
)
def test_sources_are_read_from_what_symbols_say(file, shown, link):
    assert describe_source({"file": file, "line": 7}) == (shown, link)


def test_short_hex_keeps_what_is_no_address():
    assert (short_hex("0x0ab"), short_hex("zz"), short_hex(None)) == ("0xab", "zz", "")


def test_long_names_break_at_their_joints_and_lose_nothing():
    name = "ns::f<a::b>(c, d) | e/f.g"
    assert "".join(pieces(name)) == name
    assert pieces(name) == ["ns::f<a::", "b>(c, d) | e/", "f.g"]
    assert pieces("") == []


def test_addresses_leave_out_what_is_empty_and_survive_anything(db):
    assert with_query("signatures", query="a b&c", product="") == "/signatures/?query=a%20b%26c"
    assert with_query("signatures", query="\ud800") == "/signatures/?query=%3F"
    assert [product_home(name) for name in ("A/B", "..", "", "a\nb")] == ["/home/product/A/B", "", "", ""]


def test_a_chart_tells_itself_in_words():
    days = days_between(datetime(2026, 8, 1, 23, tzinfo=UTC), datetime(2026, 8, 3, 1, tzinfo=UTC))
    chart = daily_chart({date(2026, 8, 2): 1_500, date(2026, 8, 3): 1}, days)
    assert chart.label == "1,501 crashes in 3 days, most on 2026-08-02: 1,500"
    assert [(bar.x, bar.y, bar.height) for bar in chart.bars] == [(6, 0.0, 24.0), (12, 23.0, 1.0)]
    assert daily_chart({}, days).label == "0 crashes in 3 days"
