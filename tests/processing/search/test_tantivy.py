"""The search contract on tantivy, and what is this engine's own: its folder, its locks, its other processes."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processing.errors import BadQuery, SearchError
from processing.schema.field import SearchKind
from processing.schema.registry import search_field
from processing.search import tantivy, tantivy_scan
from processing.search.base import SearchBackend
from processing.search.query import Facet, Filter, Histogram, Operator, Query, Sort
from processing.search.tantivy import TantivySearch
from processing.search.tantivy_folder import IndexFolder
from processing.search.tantivy_layout import Layout
from tests.contracts.search import SearchContract, crash_id, fill, found, make_crash, where


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "search"


@pytest.fixture
def search(folder: Path) -> SearchBackend:
    engine = TantivySearch(folder, lock_timeout_seconds=10)
    engine.index({})
    return engine


class TestTantivyKeepsTheContract(SearchContract):
    pass


def run_child(work: Callable[[Path], None], folder: Path) -> int:
    """Do some work in another process; gives its exit code."""
    child = multiprocessing.get_context("spawn").Process(target=work, args=(folder,))
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode


def index_crash_3(folder: Path) -> None:
    TantivySearch(folder).index({crash_id(3): make_crash(uuid=crash_id(3))})


def die_in_a_rebuild(folder: Path) -> None:
    def batches() -> Iterator[list[str]]:
        yield [crash_id(1)]
        os._exit(9)

    TantivySearch(folder).rebuild(batches(), lambda key: make_crash(uuid=key))


def die_as_a_rebuild_switches(folder: Path) -> None:
    def batches() -> Iterator[list[str]]:
        yield [crash_id(1)]
        (folder / "switched").symlink_to((folder / "next").readlink())
        (folder / "switched").replace(folder / "current")
        os._exit(9)

    TantivySearch(folder).rebuild(batches(), lambda key: make_crash(uuid=key))


def index_on_a_full_disk(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
    with pytest.raises(SearchError, match="File too large"):
        fill(TantivySearch(folder), *(make_crash(signature=f"s{n}" * 50) for n in range(200)))
    os._exit(3)


def test_what_another_process_commits_is_found_by_the_next_search(
    search: SearchBackend, folder: Path
) -> None:
    assert found(search) == []
    assert run_child(index_crash_3, folder) == 0
    assert found(search) == [3]


def test_searching_follows_a_rebuild_by_somebody_else(search: SearchBackend, folder: Path) -> None:
    fill(search, make_crash())
    assert found(search) == [0]
    TantivySearch(folder).rebuild([[crash_id(5)]], lambda key: make_crash(uuid=key))
    assert found(search) == [5]
    assert len(list(folder.glob("index-*"))) == 1


def test_folder_is_for_its_owner_only(search: SearchBackend, folder: Path) -> None:
    fill(search, make_crash())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_missing_index_is_named_with_the_way_out(folder: Path) -> None:
    engine = TantivySearch(folder)
    assert not engine.state().exists
    for ask in (engine.check, lambda: engine.search(Query())):
        with pytest.raises(SearchError, match=r"no search index .* manage.py searchindex --rebuild"):
            ask()


def test_index_that_vanished_is_not_replaced_by_an_empty_one(search: SearchBackend, folder: Path) -> None:
    fill(search, make_crash())
    (folder / "current").unlink()
    with pytest.raises(SearchError, match=r"manage\.py searchindex --rebuild"):
        fill(search, make_crash())
    assert search.rebuild([[crash_id(0)]], lambda key: make_crash(uuid=key)) == 1
    assert found(search) == [0]


@pytest.mark.parametrize("damage", ["meta", "fields", "segments", "cut"])
def test_damaged_index_is_an_error_with_the_way_out_and_can_be_made_anew(
    search: SearchBackend, folder: Path, damage: str
) -> None:
    fill(search, make_crash(signature="a"), make_crash(signature="b"))
    (index,) = folder.glob("index-*")
    match damage:
        case "meta":
            (index / "meta.json").write_text("{broken")
        case "fields":
            (index / "fields.json").unlink()
        case "segments":
            for file in index.glob("*.idx"):
                file.unlink()
        case "cut":
            for file in (*index.glob("*.fast"), *index.glob("*.term")):
                os.truncate(file, 10)
    fresh = TantivySearch(folder)
    with pytest.raises(SearchError, match=r"manage\.py searchindex --rebuild"):
        fresh.search(
            Query(sort=(Sort(search_field("date")),), aggregations=(Facet(search_field("signature")),))
        )
    assert fresh.rebuild([[crash_id(1)]], lambda key: make_crash(uuid=key)) == 1
    assert found(fresh) == [1]


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    engine = TantivySearch(tmp_path / "file" / "search")
    for ask in (engine.check, lambda: engine.index({})):
        with pytest.raises(SearchError, match="file/search"):
            ask()


def test_writer_that_waits_too_long_says_for_what(folder: Path) -> None:
    engine = TantivySearch(folder, lock_timeout_seconds=0.05)
    engine.index({})
    with (folder / "write.lock").open() as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        with pytest.raises(SearchError, match=r"write.lock is held by another process"):
            engine.index({})
        assert found(engine) == []
    engine.index({})


def test_rebuild_lets_the_indexer_write_between_its_batches(search: SearchBackend, folder: Path) -> None:
    indexer = threading.Thread(target=index_crash_3, args=(folder,))
    waited = []

    def batches() -> Iterator[list[str]]:
        indexer.start()
        for number in range(100, 400):
            if not indexer.is_alive():
                return
            waited.append(number)
            yield [crash_id(number)]

    search.rebuild(batches(), lambda key: make_crash(uuid=key))
    indexer.join()
    assert len(waited) < 100
    assert found(search, where("uuid", Operator.IS, crash_id(3))) == [3]


def test_only_one_rebuild_at_a_time(search: SearchBackend, folder: Path) -> None:
    def batches() -> Iterator[list[str]]:
        with pytest.raises(SearchError, match=r"rebuild\.lock is held"):
            TantivySearch(folder).rebuild([], lambda _: None)
        yield []

    assert search.rebuild(batches(), lambda _: None) == 0


def test_rebuild_that_was_killed_leaves_nothing_behind(search: SearchBackend, folder: Path) -> None:
    assert run_child(die_in_a_rebuild, folder) == 9
    assert len(list(folder.glob("index-*"))) == 2
    fill(search, make_crash())
    assert found(search) == [0]
    assert len(list(folder.glob("index-*"))) == 1


def test_rebuild_that_was_killed_as_it_switched_loses_neither_index(
    search: SearchBackend, folder: Path
) -> None:
    fill(search, make_crash())
    assert run_child(die_as_a_rebuild_switches, folder) == 9
    search.index({crash_id(2): make_crash(uuid=crash_id(2))})
    assert found(search) == [1, 2]
    assert len(list(folder.glob("index-*"))) == 1


def test_full_disk_is_an_error_and_the_index_stays_as_it_was(search: SearchBackend, folder: Path) -> None:
    fill(search, make_crash(signature="old"))
    assert run_child(index_on_a_full_disk, folder) == 3
    assert found(search, where("signature", Operator.IS, "old")) == [0]
    fill(search, make_crash(signature="new"), make_crash())
    assert found(search) == [0, 1]


class Bomb(dict[str, object]):
    """A processed crash that no engine can take."""

    def get(self, key: str, default: object = None) -> object:
        raise RuntimeError("no such luck")


def test_document_that_breaks_a_batch_leaves_the_index_as_it_was_and_writable(search: SearchBackend) -> None:
    fill(search, make_crash(signature="old"))
    with pytest.raises(RuntimeError):
        search.index({crash_id(0): make_crash(signature="new"), crash_id(1): Bomb()})
    assert found(search, where("signature", Operator.IS, "old")) == [0]
    fill(search, make_crash(signature="newer"))
    assert found(search, where("signature", Operator.IS, "newer")) == [0]


def make_older_index(folder: Path) -> SearchBackend:
    """An index made when ``uptime`` was text, ``reason`` did not exist and ``signature`` was what it is."""
    current = Layout.current()
    older = {name: kind for name, kind in current.kinds.items() if name != "reason"}
    older["uptime"] = SearchKind.KEYWORD
    folder.mkdir()
    IndexFolder(folder, lock_timeout_seconds=1).create("current", Layout(older, current.paths))
    return TantivySearch(folder)


def test_index_of_older_fields_stays_searchable_and_writable(folder: Path) -> None:
    engine = make_older_index(folder)
    fill(engine, make_crash(signature="s", uptime=5, reason="SIGSEGV"))
    assert found(engine, where("signature", Operator.IS, "s")) == [0]
    assert engine.state().outdated
    for condition in (where("uptime", Operator.IS, 5), where("reason", Operator.IS, "SIGSEGV")):
        with pytest.raises(SearchError, match=r"(uptime|reason).* manage.py searchindex --rebuild"):
            found(engine, condition)
    for query in (
        Query(columns=(search_field("reason"),)),
        Query(aggregations=(Facet(search_field("product"), facets=(Facet(search_field("reason")),)),)),
        Query(aggregations=(Histogram(search_field("uptime"), 1),)),
        Query(sort=(Sort(search_field("uptime")),)),
    ):
        with pytest.raises(SearchError, match="searchindex --rebuild"):
            engine.search(query)


def test_index_of_a_field_that_was_found_elsewhere_is_outdated(folder: Path) -> None:
    current = Layout.current()
    folder.mkdir()
    older = Layout(current.kinds, {**current.paths, "platform": "os"})
    IndexFolder(folder, lock_timeout_seconds=1).create("current", older)
    engine = TantivySearch(folder)
    assert engine.state().outdated
    fill(engine, make_crash(os_name="Linux"))
    assert found(engine, where("platform", Operator.IS, "Linux")) == [0]


def test_rebuild_takes_changed_fields_in(folder: Path) -> None:
    engine = make_older_index(folder)
    fill(engine, make_crash(uptime=5, reason="SIGSEGV"))
    engine.rebuild([[crash_id(0)]], lambda key: make_crash(uuid=key, uptime=5, reason="SIGSEGV"))
    assert not engine.state().outdated
    assert found(engine, where("uptime", Operator.GREATER, 4), where("reason", Operator.IS, "SIGSEGV")) == [0]


def test_first_index_whose_making_broke_off_is_not_replaced_by_one_of_new_crashes_only(folder: Path) -> None:
    engine = TantivySearch(folder)

    def batches() -> Iterator[list[str]]:
        yield [crash_id(0)]
        raise SearchError("away")

    with pytest.raises(SearchError, match="away"):
        engine.rebuild(batches(), lambda key: make_crash(uuid=key))
    with pytest.raises(SearchError, match="no search index"):
        fill(engine, make_crash())
    assert not engine.state().exists


def test_crash_that_the_engine_refuses_is_left_out_of_a_rebuild(
    search: SearchBackend, caplog: pytest.LogCaptureFixture
) -> None:
    crashes = {crash_id(n): make_crash(uuid=crash_id(n)) for n in range(3)} | {crash_id(1): Bomb()}
    assert search.rebuild([list(crashes)], crashes.get) == 2
    assert found(search) == [0, 2]
    assert f"{crash_id(1)}: search refuses it" in caplog.text


def test_more_crashes_than_the_engine_follows(search: SearchBackend) -> None:
    """Text across very many frames is found all the same; too many crashes with one product are not sorted further."""
    fill(search, *(make_crash(proto_signature=f"f{n} | g{n} | main") for n in range(20_001)))
    condition = where("proto_signature", Operator.CONTAINS, "99 | g")
    assert search.search(Query(filters=(condition,), size=0)).total == 200
    by_product = (Sort(search_field("product")), Sort(search_field("uuid")))
    with pytest.raises(BadQuery, match="too many crashes share one product"):
        search.search(Query(sort=by_product))
    assert search.search(Query(filters=(condition,), sort=by_product)).total == 200


def test_long_part_of_a_stack_can_be_looked_for_frame_by_frame(search: SearchBackend) -> None:
    frames = [f"mozilla::namespace{n}::Function{n}(char const*)" for n in range(40)]
    fill(
        search,
        make_crash(proto_signature=" | ".join(frames)),
        make_crash(proto_signature=" | ".join(frames[::-1])),
    )
    operand = " | ".join(frames[3:37])[5:-5].replace("*", r"\*")
    assert len(operand) > 1_000
    assert found(search, where("proto_signature", Operator.CONTAINS, operand)) == [0]
    with pytest.raises(BadQuery, match="too long or too complex"):
        found(search, where("signature", Operator.CONTAINS, operand))


SCANNED = where("proto_signature", Operator.REGEX, "f1.*main")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every index for a large one."""
    monkeypatch.setattr(tantivy, "_SCANNED_AT_ONCE", 0)


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        (SCANNED, [1]),
        (where("proto_signature", Operator.CONTAINS, "f*main"), [0, 1, 2]),
        (where("proto_signature", Operator.STARTS_WITH, "?2"), [2]),
        (where("proto_signature", Operator.ENDS_WITH, "?ain"), [0, 1, 2]),
    ],
)
def test_a_large_index_is_looked_through_by_another_process_with_the_same_answer(
    folder: Path, large: None, condition: Filter, numbers: list[int]
) -> None:
    engine = TantivySearch(folder, scan_seconds=30)
    fill(engine, *(make_crash(proto_signature=f"f{n} | main") for n in range(3)))
    assert found(engine, condition) == numbers
    query = Query(filters=(condition,), aggregations=(Facet(search_field("proto_signature")),))
    assert engine.search(query) == TantivySearch(folder, scan_seconds=None).search(query)


def test_a_search_that_looks_through_all_stacks_is_ended_in_time_with_the_way_out(
    folder: Path, large: None
) -> None:
    engine = TantivySearch(folder, scan_seconds=0.001)
    fill(engine, make_crash(proto_signature="f1 | main"))
    with pytest.raises(BadQuery, match="use ~ with plain text"):
        found(engine, SCANNED)
    assert found(engine, where("proto_signature", Operator.CONTAINS, "1 | m")) == [0]
    assert found(engine, where("proto_signature", Operator.REGEX, ".*1 | m.*".replace("|", "\\|"))) == [0]


def test_errors_of_the_other_process_are_told(folder: Path, large: None) -> None:
    engine = TantivySearch(folder, scan_seconds=30)
    fill(engine, make_crash(proto_signature="f1 | main"))
    query = Query(filters=(SCANNED,), sort=(Sort(search_field("date")),), offset=9_999)
    assert engine.search(query).total == 1
    with pytest.raises(BadQuery, match="minute"):
        engine.search(Query(filters=(SCANNED,), aggregations=(Histogram(search_field("date"), "fortnight"),)))


def test_one_search_at_a_time_looks_through_all_stacks(
    folder: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tantivy_scan, "_PATIENCE_SECONDS", 0.01)
    engine = TantivySearch(folder, scan_seconds=30)
    fill(engine, make_crash(proto_signature="f1 | main"))
    assert engine._scanner is not None
    with engine._scanner._turn, pytest.raises(SearchError, match="another search looks through all stacks"):
        found(engine, SCANNED)
    assert found(engine, SCANNED) == [0]
