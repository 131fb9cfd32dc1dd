"""What every search engine must do, written as behaviour. Subclass `SearchContract` and give it a fixture ``search``.

``search`` is an engine with an empty index.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.errors import BadQuery
from processing.schema.field import SearchKind
from processing.schema.registry import search_field, search_fields
from processing.search.base import SearchBackend
from processing.search.query import (
    OPERATORS_OF_KIND,
    AllOf,
    AnyOf,
    Cardinality,
    Condition,
    Facet,
    Filter,
    Histogram,
    Operator,
    Query,
    Sort,
    Value,
)

NOON = datetime(2026, 8, 5, 12, 0, tzinfo=UTC)
UUID = search_field("uuid")


def make_crash(**values: Any) -> dict[str, Any]:
    """A processed crash; keys are those of the processed crash."""
    return {"product": "WaterWolf", "date_processed": NOON.isoformat(), **values}


def crash_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:05d}0260805"


def fill(search: SearchBackend, *crashes: dict[str, Any]) -> None:
    """Index crashes under the crash ids 0, 1, 2, …"""
    search.index({crash_id(n): {"uuid": crash_id(n), **crash} for n, crash in enumerate(crashes)})


def where(name: str, operator: Operator, *values: Value, negated: bool = False) -> Filter:
    return Filter(search_field(name), operator, values, negated)


def found(search: SearchBackend, *conditions: Condition) -> list[int]:
    """Give the numbers of the crashes that fulfil all conditions."""
    result = search.search(Query(filters=conditions, columns=(UUID,), size=1000))
    numbers = sorted(int(hit["uuid"][24:29]) for hit in result.hits)
    assert result.total == len(numbers)
    return numbers


def terms(buckets: list[dict[str, Any]]) -> list[tuple[Any, int]]:
    return [(bucket["term"], bucket["count"]) for bucket in buckets]


class SearchContract:
    """Tests that every engine passes."""

    # --- writing -----------------------------------------------------------------------------------------------

    def test_indexed_crash_is_found_at_once(self, search: SearchBackend) -> None:
        fill(search, make_crash(signature="foo"))
        assert found(search, where("signature", Operator.IS, "foo")) == [0]

    def test_indexing_an_id_again_replaces_the_crash(self, search: SearchBackend) -> None:
        fill(search, make_crash(signature="old"))
        fill(search, make_crash(signature="new"))
        assert found(search, where("signature", Operator.IS, "old")) == []
        assert found(search, where("signature", Operator.IS, "new")) == [0]
        assert search.state().documents == 1

    def test_crash_is_known_by_the_id_it_was_given_not_by_what_it_says(self, search: SearchBackend) -> None:
        search.index({crash_id(1): {"signature": "foo", "uuid": crash_id(2)}})
        search.delete([crash_id(2)])
        assert search.search(Query()).total == 1
        search.delete([crash_id(1)])
        assert search.search(Query()).total == 0

    def test_deleted_crashes_are_gone_and_unknown_ids_are_no_error(self, search: SearchBackend) -> None:
        fill(search, make_crash(), make_crash(), make_crash())
        search.delete([crash_id(0), crash_id(2), crash_id(77)])
        assert found(search) == [1]

    def test_delete_before_a_day_keeps_that_day(self, search: SearchBackend) -> None:
        moments = [
            "2026-08-03T23:59:59.999999+00:00",
            "2026-08-04T00:00:00+00:00",
            "2026-08-04T02:00:00+03:00",
        ]
        fill(search, *(make_crash(date_processed=moment) for moment in moments))
        assert search.delete_before(date(2026, 8, 4)) == 2
        assert found(search) == [1]

    def test_writing_nothing_is_no_error(self, search: SearchBackend) -> None:
        search.index({})
        search.delete([])
        assert search.search(Query()).total == 0

    def test_writers_at_the_same_time_lose_nothing(self, search: SearchBackend) -> None:
        def write(first: int) -> None:
            for number in range(first, first + 5):
                search.index({crash_id(number): make_crash(uuid=crash_id(number))})

        threads = [threading.Thread(target=write, args=(first,)) for first in (0, 5, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found(search) == list(range(15))

    # --- odd documents -----------------------------------------------------------------------------------------

    def test_fields_that_are_not_searchable_are_not_kept(self, search: SearchBackend) -> None:
        fill(search, make_crash(json_dump={"secret": "hush"}, unheard_of="hush", signature="foo"))
        hit = search.search(Query(columns=search_fields())).hits[0]
        assert "hush" not in str(hit)
        assert hit["signature"] == "foo"

    def test_nested_values_are_found_by_their_path(self, search: SearchBackend) -> None:
        fill(search, make_crash(json_dump={"system_info": {"cpu_count": 8}}), make_crash(json_dump=None))
        assert found(search, where("cpu_count", Operator.IS, 8)) == [0]
        assert search.search(Query(columns=(search_field("cpu_count"),), size=1)).hits == [{"cpu_count": 8}]

    def test_values_of_the_wrong_type_do_not_hide_the_crash(self, search: SearchBackend) -> None:
        odd = {
            name: [{"a": "b"}] for name in ("signature", "uptime", "safe_mode", "proto_signature", "version")
        }
        fill(
            search,
            make_crash(**odd, os_name=5, date_processed="soon", uptime_ts="NaN", process_type="\ud800"),
        )
        assert found(search, where("signature", Operator.IS, "BAD DATA")) == [0]
        assert found(search, where("platform", Operator.IS, "BAD DATA")) == [0]
        assert found(search, where("process_type", Operator.IS, "BAD DATA")) == [0]
        for name in ("uptime", "uptime_ts", "date"):
            assert found(search, where(name, Operator.IS_NULL)) == [0]

    def test_numbers_beyond_64_bits_are_left_out(self, search: SearchBackend) -> None:
        fill(search, make_crash(uptime=2**63), make_crash(uptime=2**63 - 1), make_crash(uptime=-(2**63)))
        assert found(search, where("uptime", Operator.IS_NULL)) == [0]
        assert found(search, where("uptime", Operator.IS, 2**63 - 1)) == [1]
        assert found(search, where("uptime", Operator.IS, -(2**63))) == [2]

    def test_very_long_text_is_cut_and_still_found_whole(self, search: SearchBackend) -> None:
        fill(search, make_crash(signature="é" * 100_000, version="x" * 100_000))
        assert found(search, where("signature", Operator.IS, "é" * 100_000)) == [0]
        assert found(search, where("version", Operator.IS, "x" * 100_000)) == [0]
        hit = search.search(Query(columns=(search_field("signature"),), size=1)).hits[0]
        assert hit["signature"] == "é" * (32_766 // 2)

    def test_control_characters_in_text_are_kept_and_found(self, search: SearchBackend) -> None:
        text = "a\x00b\x02c\x03 | d\ne"
        fill(search, make_crash(signature=text, proto_signature=text))
        for name in ("signature", "proto_signature"):
            assert found(search, where(name, Operator.IS, text)) == [0]
            assert found(search, where(name, Operator.CONTAINS, "\x00b\x02c\x03 | d")) == [0]
            assert found(search, where(name, Operator.ENDS_WITH, "d\ne")) == [0]

    # --- text --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            (Operator.IS, "mozilla::dom::Foo", [0]),
            (Operator.IS, "Mozilla::dom::Foo", []),
            (Operator.IS, "dom", []),
            (Operator.MATCHES, "DOM", [0, 1]),
            (Operator.MATCHES, "bar foo", [0, 1]),
            (Operator.MATCHES, "nothing, here", []),
            (Operator.MATCHES, "!?", []),
            (Operator.CONTAINS, "dom::", [0, 1]),
            (Operator.CONTAINS, "DOM::", []),
            (Operator.CONTAINS, "a(b", [2]),
            (Operator.CONTAINS, "dom*Foo", [0]),
            (Operator.CONTAINS, "d?m::B", [1]),
            (Operator.CONTAINS, r"char\*", [2]),
            (Operator.CONTAINS, r"C:\dir", [2]),
            (Operator.STARTS_WITH, "mozilla::", [0, 1]),
            (Operator.STARTS_WITH, "dom", []),
            (Operator.STARTS_WITH, "*::Foo", [0]),
            (Operator.ENDS_WITH, "::Foo", [0]),
            (Operator.ENDS_WITH, "mozilla", []),
            (Operator.REGEX, "mozilla::.*", [0, 1]),
            (Operator.REGEX, "mozilla", []),
            (Operator.REGEX, "(Foo|moz).*(Bar|o)", [0, 1]),
            (Operator.REGEX, '"a(b, char*)".*', [2]),
            (Operator.REGEX, r"a\(b.*[\\].*", [2]),
            (Operator.REGEX, "[l-n]ozilla.{5}[^B]{5}", [0]),
        ],
    )
    def test_text_operators(
        self, search: SearchBackend, operator: Operator, value: str, expected: list[int]
    ) -> None:
        signatures = ["mozilla::dom::Foo", "mozilla::dom::Bar", "a(b, char*) C:\\dir"]
        fill(search, *(make_crash(signature=signature) for signature in signatures), make_crash())
        assert found(search, where("signature", operator, value)) == expected
        others = [number for number in range(4) if number not in expected]
        assert found(search, where("signature", operator, value, negated=True)) == others

    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            (Operator.MATCHES, "142.0b3", [0]),
            (Operator.MATCHES, "142", []),
            (Operator.IS, "142.0b3", [0]),
            (Operator.IS, "142.0B3", []),
            (Operator.STARTS_WITH, "142.0b", [0, 1]),
            (Operator.ENDS_WITH, "b3", [0]),
            (Operator.CONTAINS, "2.0b", [0, 1]),
            (Operator.REGEX, "142[.]0b.", [0, 1]),
        ],
    )
    def test_keyword_operators(
        self, search: SearchBackend, operator: Operator, value: str, expected: list[int]
    ) -> None:
        fill(search, *(make_crash(version=version) for version in ("142.0b3", "142.0b4", "142.0a1")))
        assert found(search, where("version", operator, value)) == expected

    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            (Operator.MATCHES, "LIBC.so", [0, 1]),
            (Operator.MATCHES, "libc", []),
            (Operator.IS, "libm.so", [0]),
            (Operator.CONTAINS, "C.s", [0, 1]),
            (Operator.STARTS_WITH, "libx", [1]),
            (Operator.ENDS_WITH, "m.so", [0]),
            (Operator.REGEX, "lib[mx].*", [0, 1]),
        ],
    )
    def test_semicolon_lists_are_compared_piece_by_piece_without_case(
        self, search: SearchBackend, operator: Operator, value: str, expected: list[int]
    ) -> None:
        fill(
            search,
            make_crash(modules_in_stack="libC.so;;LibM.so;"),
            make_crash(modules_in_stack="libc.so; libX.so"),
        )
        assert found(search, where("modules_in_stack", operator, value)) == expected

    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            (Operator.IS, "alloc | grow | push", [0]),
            (Operator.MATCHES, "GROW", [0, 1]),
            (Operator.CONTAINS, "gro", [0, 1]),
            (Operator.CONTAINS, "c | grow | pu", [0]),
            (Operator.CONTAINS, "alloc | grow", [0, 1]),
            (Operator.CONTAINS, "alloc | push", []),
            (Operator.CONTAINS, "loc | ", [0, 1]),
            (Operator.CONTAINS, " | push", [0]),
            (Operator.CONTAINS, "| push", [0]),
            (Operator.CONTAINS, " push", [0]),
            (Operator.CONTAINS, " | alloc", [2]),
            (Operator.CONTAINS, " alloc", [2]),
            (Operator.CONTAINS, "push | ", []),
            (Operator.CONTAINS, "a*sh", [0]),
            (Operator.CONTAINS, "operator||", [2]),
            (Operator.CONTAINS, "|| | a", [2]),
            (Operator.STARTS_WITH, "alloc | gr", [0, 1]),
            (Operator.STARTS_WITH, "grow", []),
            (Operator.ENDS_WITH, "w | push", [0]),
            (Operator.ENDS_WITH, "grow", []),
            (Operator.REGEX, 'alloc" | ".*', [0, 1]),
        ],
    )
    def test_proto_signature_operators(
        self, search: SearchBackend, operator: Operator, value: str, expected: list[int]
    ) -> None:
        stacks = ["alloc | grow | push", "alloc | grow | pop", "operator|| | alloc(int)"]
        fill(search, *(make_crash(proto_signature=stack) for stack in stacks))
        assert found(search, where("proto_signature", operator, value)) == expected

    def test_search_across_frames_finds_exactly_what_lies_in_the_whole_text(
        self, search: SearchBackend
    ) -> None:
        texts = [
            "a | b",
            "a | b | a",
            "aa|b",
            "a |b| a",
            " | a",
            "a |  | b",
            "a || b",
            "b | ",
            "| a | b |",
            "|",
            "",
        ]
        fill(search, *(make_crash(proto_signature=text) for text in texts))

        @settings(
            max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
        )
        @given(st.text(alphabet="ab |", max_size=7))
        def same(operand: str) -> None:
            containing = [number for number, text in enumerate(texts) if operand in text]
            assert found(search, where("proto_signature", Operator.CONTAINS, operand)) == containing
            ending = [number for number, text in enumerate(texts) if text.endswith(operand)]
            assert found(search, where("proto_signature", Operator.ENDS_WITH, operand)) == ending

        same()

    @pytest.mark.parametrize(
        "expression",
        ["(", "[", "a{", 'a"b', "a\\", "~a", "a&b", "<1-5>", "@", "#", "*", "(a{1000}){1000}", "a" * 20_000],
    )
    def test_bad_expressions_are_refused_with_a_reason(self, search: SearchBackend, expression: str) -> None:
        fill(search, make_crash(signature="a", proto_signature="a | b", version="1"))
        for name in ("signature", "proto_signature", "version"):
            with pytest.raises(BadQuery, match=re.compile(r"\w{4}")):
                found(search, where(name, Operator.REGEX, expression))

    def test_any_text_is_an_answer_or_a_bad_query(self, search: SearchBackend) -> None:
        fill(
            search,
            make_crash(signature="a | b", proto_signature="a | b", version="1", modules_in_stack="a;b"),
        )
        names = st.sampled_from(["signature", "proto_signature", "version", "modules_in_stack"])
        operators = st.sampled_from(
            [op for op in OPERATORS_OF_KIND[SearchKind.TEXT] if op is not Operator.IS_NULL]
        )
        text = st.text(max_size=40) | st.text(alphabet='ab|.*?+()[]{}^$\\"-&~#@<> 0,', max_size=40)

        @settings(
            max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
        )
        @given(names, operators, text)
        def survives(name: str, operator: Operator, operand: str) -> None:
            try:
                found(search, where(name, operator, operand))
            except BadQuery as exc:
                assert len(str(exc)) < 500

        survives()

    # --- numbers, dates, booleans, absence ---------------------------------------------------------------------

    @pytest.mark.parametrize("name", ["uptime", "uptime_ts"])
    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            (Operator.MATCHES, 5, [1]),
            (Operator.IS, 5, [1]),
            (Operator.GREATER, 5, [2]),
            (Operator.GREATER_OR_EQUAL, 5, [1, 2]),
            (Operator.LESS, 5, [0]),
            (Operator.LESS_OR_EQUAL, 5, [0, 1]),
            (Operator.LESS, -5, []),
        ],
    )
    def test_number_operators(
        self, search: SearchBackend, name: str, operator: Operator, value: int, expected: list[int]
    ) -> None:
        typed = float(value) if name == "uptime_ts" else value
        fill(search, *(make_crash(**{name: number}) for number in (-5, 5, 10)), make_crash())
        assert found(search, where(name, operator, typed)) == expected
        others = [number for number in range(4) if number not in expected]
        assert found(search, where(name, operator, typed, negated=True)) == others

    def test_bounds_beyond_64_bits_mean_what_they_say(self, search: SearchBackend) -> None:
        fill(search, make_crash(uptime=5), make_crash())
        assert found(search, where("uptime", Operator.LESS, 10**30)) == [0]
        assert found(search, where("uptime", Operator.GREATER_OR_EQUAL, -(10**30))) == [0]
        assert found(search, where("uptime", Operator.GREATER, 10**30)) == []
        assert found(search, where("uptime", Operator.IS, 10**30)) == []

    def test_dates_are_told_apart_to_the_microsecond(self, search: SearchBackend) -> None:
        moments = [NOON + timedelta(microseconds=n) for n in range(3)]
        fill(search, *(make_crash(date_processed=moment.isoformat()) for moment in moments))
        assert found(search, where("date", Operator.GREATER, moments[0])) == [1, 2]
        assert found(search, where("date", Operator.LESS_OR_EQUAL, moments[1])) == [0, 1]
        assert found(search, where("date", Operator.IS, moments[1])) == [1]

    def test_true_and_not_true(self, search: SearchBackend) -> None:
        fill(search, make_crash(safe_mode=True), make_crash(safe_mode=False), make_crash())
        assert found(search, where("safe_mode", Operator.IS_TRUE)) == [0]
        assert found(search, where("safe_mode", Operator.IS_TRUE, negated=True)) == [1, 2]
        assert found(search, where("safe_mode", Operator.MATCHES, False)) == [1]

    @pytest.mark.parametrize(
        ("key", "name", "value"),
        [
            ("version", "version", ""),
            ("signature", "signature", "x"),
            ("modules_in_stack", "modules_in_stack", "a.so"),
            ("proto_signature", "proto_signature", "a | b"),
            ("uptime", "uptime", 0),
            ("uptime_ts", "uptime_ts", 0.0),
            ("safe_mode", "safe_mode", False),
        ],
    )
    def test_absence_and_presence(self, search: SearchBackend, key: str, name: str, value: Any) -> None:
        fill(search, make_crash(**{key: value}), make_crash(**{key: None}), make_crash())
        assert found(search, where(name, Operator.IS_NULL)) == [1, 2]
        assert found(search, where(name, Operator.IS_NULL, negated=True)) == [0]

    def test_operator_that_a_field_does_not_know_is_refused(self, search: SearchBackend) -> None:
        fill(search, make_crash())
        with pytest.raises(BadQuery, match="uptime"):
            found(search, where("uptime", Operator.CONTAINS, "1"))
        with pytest.raises(BadQuery, match="signature"):
            found(search, where("signature", Operator.GREATER, "a"))

    # --- combinations ------------------------------------------------------------------------------------------

    def test_several_values_mean_any_of_them_and_several_filters_all_of_them(
        self, search: SearchBackend
    ) -> None:
        fill(
            search,
            make_crash(version="1", uptime=1),
            make_crash(version="2", uptime=2),
            make_crash(version="3", uptime=2),
        )
        either = where("version", Operator.IS, "1", "2")
        assert found(search, either) == [0, 1]
        assert found(search, either, where("uptime", Operator.IS, 2)) == [1]
        assert found(search, where("version", Operator.IS, "1", "2", negated=True)) == [2]

    def test_alternatives_nest(self, search: SearchBackend) -> None:
        fill(search, *(make_crash(uptime=number) for number in range(10)))
        between = AllOf((where("uptime", Operator.GREATER, 2), where("uptime", Operator.LESS, 5)))
        assert found(search, AnyOf((between, where("uptime", Operator.IS, 8)))) == [3, 4, 8]

    def test_list_values_are_found_one_by_one(self, search: SearchBackend) -> None:
        fill(search, make_crash(addons=["a:1", "b:2"]), make_crash(addons=["b:2"]), make_crash(addons=[]))
        assert found(search, where("addons", Operator.IS, "b:2")) == [0, 1]
        assert found(search, where("addons", Operator.IS_NULL)) == [2]

    # --- hits --------------------------------------------------------------------------------------------------

    def test_hits_have_the_columns_asked_for_and_null_for_what_is_absent(self, search: SearchBackend) -> None:
        fill(
            search,
            make_crash(
                date_processed="2026-08-05T14:00:00.25+02:00",
                uptime=7,
                safe_mode=False,
                addons=["a:1", "b:2"],
                modules_in_stack="A.so;b.so",
                os_name="Linux",
            ),
        )
        names = ["date", "uptime", "safe_mode", "addons", "modules_in_stack", "platform", "reason"]
        result = search.search(Query(columns=tuple(search_field(name) for name in names)))
        assert result.hits == [
            {
                "date": "2026-08-05T12:00:00.250000+00:00",
                "uptime": 7,
                "safe_mode": False,
                "addons": ["a:1", "b:2"],
                "modules_in_stack": "A.so;b.so",
                "platform": "Linux",
                "reason": None,
            }
        ]

    def test_list_of_one_is_shown_as_its_item(self, search: SearchBackend) -> None:
        fill(search, make_crash(addons=["a:1"]), make_crash(addons=[]))
        result = search.search(Query(columns=(search_field("addons"),), sort=(Sort(UUID),)))
        assert result.hits == [{"addons": "a:1"}, {"addons": None}]

    def test_pages_are_parts_of_one_order_and_total_stays(self, search: SearchBackend) -> None:
        fill(search, *(make_crash(uptime=number) for number in range(10)))
        sort = (Sort(search_field("uptime"), descending=True),)
        pages = [
            search.search(Query(columns=(search_field("uptime"),), sort=sort, offset=offset, size=4))
            for offset in (0, 4, 8, 12)
        ]
        assert [[hit["uptime"] for hit in page.hits] for page in pages] == [
            [9, 8, 7, 6],
            [5, 4, 3, 2],
            [1, 0],
            [],
        ]
        assert {page.total for page in pages} == {10}

    def test_no_hits_when_none_are_wanted(self, search: SearchBackend) -> None:
        fill(search, make_crash(), make_crash())
        result = search.search(Query(size=0))
        assert (result.total, result.hits) == (2, [])

    @pytest.mark.parametrize(
        ("key", "name", "values"),
        [
            ("date_processed", "date", [f"2026-08-0{day}T00:00:00+00:00" for day in (1, 2, 3)]),
            ("uptime", "uptime", [-1, 0, 10]),
            ("uptime_ts", "uptime_ts", [-0.5, 0.0, 10.25]),
            ("signature", "signature", ["A", "B", "a"]),
            ("version", "version", ["1", "10", "2"]),
        ],
    )
    @pytest.mark.parametrize("descending", [False, True])
    def test_sorting_by_one_field_puts_absent_values_last(
        self, search: SearchBackend, key: str, name: str, values: list[Any], descending: bool
    ) -> None:
        fill(search, *(make_crash(**{key: value}) for value in [values[1], None, values[0], values[2]]))
        sort = (Sort(search_field(name), descending),)
        hits = search.search(Query(columns=(UUID,), sort=sort)).hits
        ordered = [2, 0, 3]
        assert [int(hit["uuid"][24:29]) for hit in hits] == [*(ordered[::-1] if descending else ordered), 1]

    def test_sorting_by_several_fields_applies_them_in_order(self, search: SearchBackend) -> None:
        values = [("B", 1), ("A", 1), ("B", 3), (None, 5), ("A", None), ("A", 2), (None, None), ("B", 2)]
        fill(search, *(make_crash(version=version, uptime=uptime) for version, uptime in values))
        sort = (Sort(search_field("version")), Sort(search_field("uptime"), descending=True))
        expected = [5, 1, 4, 2, 7, 0, 3, 6]
        for offset, size in ((0, 100), (0, 2), (2, 3), (5, 3), (7, 5), (8, 5), (0, 0)):
            result = search.search(Query(columns=(UUID,), sort=sort, offset=offset, size=size))
            assert [int(hit["uuid"][24:29]) for hit in result.hits] == expected[offset : offset + size]
            assert result.total == 8

    # --- aggregations ------------------------------------------------------------------------------------------

    def test_facet_counts_by_frequency_then_by_term(self, search: SearchBackend) -> None:
        fill(
            search,
            *(make_crash(signature=signature) for signature in "bbacca"),
            make_crash(signature="d"),
            make_crash(),
        )
        signature = search_field("signature")
        result = search.search(Query(size=0, aggregations=(Facet(signature),)))
        assert terms(result.facets["signature"]) == [("a", 2), ("b", 2), ("c", 2), ("d", 1)]
        cut = search.search(Query(size=0, aggregations=(Facet(signature, size=2),)))
        assert terms(cut.facets["signature"]) == [("a", 2), ("b", 2)]

    def test_facet_is_exact_over_several_batches(self, search: SearchBackend) -> None:
        for batch in range(3):
            search.index(
                {
                    crash_id(batch * 100 + n): make_crash(signature=f"s{n if n > batch else 50:02d}")
                    for n in range(40)
                }
            )
        result = search.search(Query(size=0, aggregations=(Facet(search_field("signature"), size=4),)))
        assert terms(result.facets["signature"]) == [("s50", 6), ("s03", 3), ("s04", 3), ("s05", 3)]

    def test_facet_respects_filters(self, search: SearchBackend) -> None:
        fill(search, make_crash(signature="a", uptime=1), make_crash(signature="b", uptime=2))
        result = search.search(
            Query(
                filters=(where("uptime", Operator.IS, 2),), aggregations=(Facet(search_field("signature")),)
            )
        )
        assert terms(result.facets["signature"]) == [("b", 1)]

    def test_facet_terms_have_the_type_of_their_field(self, search: SearchBackend) -> None:
        fill(
            search,
            make_crash(
                uptime=3, uptime_ts=2.0, safe_mode=True, addons=["x", "y", "x"], modules_in_stack="A;b;a"
            ),
            make_crash(uptime=3, safe_mode=False, addons=["x"]),
        )
        names = ["uptime", "uptime_ts", "safe_mode", "addons", "modules_in_stack", "date"]
        facets = search.search(
            Query(size=0, aggregations=tuple(Facet(search_field(name)) for name in names))
        ).facets
        assert {name: terms(buckets) for name, buckets in facets.items()} == {
            "uptime": [(3, 2)],
            "uptime_ts": [(2.0, 1)],
            "safe_mode": [("F", 1), ("T", 1)],
            "addons": [("x", 2), ("y", 1)],
            "modules_in_stack": [("a", 1), ("b", 1)],
            "date": [("2026-08-05T12:00:00.000000+00:00", 2)],
        }
        assert isinstance(facets["uptime"][0]["term"], int)
        assert isinstance(facets["uptime_ts"][0]["term"], float)

    def test_facets_nest_and_buckets_without_facets_have_no_such_key(self, search: SearchBackend) -> None:
        fill(
            search,
            make_crash(product="A", version="1", install_time=5),
            make_crash(product="A", version="2", install_time=6),
            make_crash(product="A", version="2", install_time=7),
            make_crash(product="B", version="1"),
        )
        nested = Facet(
            search_field("product"),
            facets=(Facet(search_field("version"), facets=(Cardinality(search_field("install_time")),)),),
        )
        facets = search.search(Query(size=0, aggregations=(nested, Facet(search_field("version"))))).facets
        assert facets["product"][0] == {
            "term": "A",
            "count": 3,
            "facets": {
                "version": [
                    {"term": "2", "count": 2, "facets": {"cardinality_install_time": {"value": 2}}},
                    {"term": "1", "count": 1, "facets": {"cardinality_install_time": {"value": 1}}},
                ]
            },
        }
        assert facets["product"][1]["facets"]["version"][0]["facets"] == {
            "cardinality_install_time": {"value": 0}
        }
        assert facets["version"] == [{"term": "1", "count": 2}, {"term": "2", "count": 2}]

    def test_cardinality_counts_distinct_values(self, search: SearchBackend) -> None:
        fill(search, *(make_crash(signature=f"s{number % 7}") for number in range(20)))
        facets = search.search(Query(size=0, aggregations=(Cardinality(search_field("signature")),))).facets
        assert facets == {"cardinality_signature": {"value": 7}}

    @pytest.mark.parametrize(
        ("interval", "expected"),
        [
            (
                "minute",
                ["2026-02-28T23:59:00+00:00", "2026-03-01T00:00:00+00:00", "2026-04-06T00:00:00+00:00"],
            ),
            ("hour", ["2026-02-28T23:00:00+00:00", "2026-03-01T00:00:00+00:00", "2026-04-06T00:00:00+00:00"]),
            ("day", ["2026-02-28T00:00:00+00:00", "2026-03-01T00:00:00+00:00", "2026-04-06T00:00:00+00:00"]),
            ("week", ["2026-02-23T00:00:00+00:00", "2026-04-06T00:00:00+00:00"]),
            (
                "month",
                ["2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00"],
            ),
            ("quarter", ["2026-01-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00"]),
            ("year", ["2026-01-01T00:00:00+00:00"]),
        ],
    )
    def test_date_histogram_by_calendar_interval(
        self, search: SearchBackend, interval: str, expected: list[str]
    ) -> None:
        moments = [
            "2026-02-28T23:59:59.999999+00:00",
            "2026-03-01T00:00:00+00:00",
            "2026-04-06T00:00:00+00:00",
        ]
        fill(search, *(make_crash(date_processed=moment) for moment in moments))
        facets = search.search(
            Query(size=0, aggregations=(Histogram(search_field("date"), interval),))
        ).facets
        buckets = facets["histogram_date"]
        assert [bucket["term"] for bucket in buckets] == expected
        assert sum(bucket["count"] for bucket in buckets) == 3
        assert all(bucket["facets"] == {} for bucket in buckets)

    def test_number_histogram_with_facets_inside(self, search: SearchBackend) -> None:
        fill(
            search,
            *(make_crash(uptime=number, product="A") for number in (0, 1, 25, -1)),
            make_crash(uptime=25),
        )
        histogram = Histogram(search_field("uptime"), 10, (Facet(search_field("product")),))
        buckets = search.search(Query(size=0, aggregations=(histogram,))).facets["histogram_uptime"]
        assert terms(buckets) == [(-10.0, 1), (0.0, 2), (20.0, 2)]
        assert terms(buckets[2]["facets"]["product"]) == [("A", 1), ("WaterWolf", 1)]

    def test_aggregations_of_no_documents_are_empty(self, search: SearchBackend) -> None:
        fill(search, make_crash(uptime=1))
        nothing = where("uptime", Operator.IS, 2)
        date_field = search_field("date")
        asked = (
            Facet(search_field("product")),
            Histogram(date_field, "month"),
            Cardinality(search_field("version")),
        )
        facets = search.search(Query(filters=(nothing,), aggregations=asked)).facets
        assert facets == {"product": [], "histogram_date": [], "cardinality_version": {"value": 0}}

    def test_too_many_buckets_are_refused(self, search: SearchBackend) -> None:
        fill(search, *(make_crash(addons=[f"{n}-{m}" for m in range(60)]) for n in range(50)))
        addons = search_field("addons")
        with pytest.raises(BadQuery, match="too many buckets"):
            search.search(Query(aggregations=(Facet(addons, 10_000, (Facet(addons, 10_000),)),)))
        assert len(search.search(Query(aggregations=(Facet(addons, 10_000),))).facets["addons"]) == 3_000

    # --- making the index anew ---------------------------------------------------------------------------------

    def test_rebuild_takes_what_storage_holds_and_forgets_the_rest(self, search: SearchBackend) -> None:
        fill(search, make_crash(signature="gone"), make_crash(signature="old"))
        stored = {crash_id(1): make_crash(uuid=crash_id(1), signature="new")}
        assert search.rebuild([[crash_id(1)], [crash_id(5)]], stored.get) == 1
        assert found(search, where("signature", Operator.IS, "new")) == [1]
        assert search.search(Query()).total == 1

    def test_site_is_up_during_a_rebuild_and_what_is_written_meanwhile_stays(
        self, search: SearchBackend
    ) -> None:
        fill(search, make_crash(signature="a"), make_crash(signature="b"), make_crash(signature="c"))
        stored = {
            crash_id(n): make_crash(uuid=crash_id(n), signature=signature)
            for n, signature in enumerate("abc")
        }

        def batches() -> Iterator[list[str]]:
            yield [crash_id(0)]
            search.index({crash_id(7): make_crash(uuid=crash_id(7), signature="fresh")})
            search.delete([crash_id(0)])
            stored.pop(crash_id(0))
            assert found(search) == [1, 2, 7]
            yield [crash_id(1), crash_id(2)]

        assert search.rebuild(batches(), stored.get) == 3
        assert found(search) == [1, 2, 7]

    def test_rebuild_that_breaks_off_changes_nothing(self, search: SearchBackend) -> None:
        fill(search, make_crash(signature="a"))

        def batches() -> Iterator[list[str]]:
            yield [crash_id(5)]
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            search.rebuild(batches(), lambda _: make_crash(signature="b"))
        fill(search, make_crash(signature="c"))
        assert found(search) == [0]

    def test_state_and_check(self, search: SearchBackend) -> None:
        fill(search, make_crash(), make_crash())
        search.check()
        state = search.state()
        assert (state.exists, state.outdated, state.documents) == (True, False, 2)
