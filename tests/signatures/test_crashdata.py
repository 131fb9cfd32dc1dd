"""From processed crashes to crash data."""

import pytest

from signatures.crashdata import dig, from_processed_crash
from signatures.generator import SignatureGenerator
from tests.signatures.examples import small_lists

PROCESSED = {
    "signature": "old",
    "crashing_thread": 0,
    "oom_allocation_size": "123",
    "hang": "ui",
    "json_dump": {
        "crash_info": {"crashing_thread": 1, "type": "SIGSEGV"},
        "system_info": {"os": "Linux"},
        "threads": [{"frames": [{"function": "main()"}]}, {"frames": [{"function": "RunWatchdog"}]}],
    },
}


def test_each_value_is_taken_from_its_place():
    assert from_processed_crash(PROCESSED) == {
        "hang": "ui",
        "js_large_allocation_failure": None,
        "abort_message": None,
        "mdsw_status_string": None,
        "async_shutdown_timeout": None,
        "ipc_channel_error": None,
        "ipc_message_name": None,
        "oom_allocation_size": 123,
        "additional_minidumps": [],
        "original_signature": "old",
        "crashing_thread": 1,
        "reason": "SIGSEGV",
        "threads": PROCESSED["json_dump"]["threads"],
        "os": "Linux",
    }


def test_java_is_taken_only_when_it_is_there():
    assert "java_exception" not in from_processed_crash({})
    assert from_processed_crash({"java_stack_trace": "x.Y"})["java_stack_trace"] == "x.Y"


@pytest.mark.parametrize("json_dump", [None, {}, [], 5, {"crash_info": None, "threads": 3}])
def test_damaged_stackwalker_output_still_gives_crash_data(json_dump):
    crash_data = from_processed_crash({"json_dump": json_dump, "oom_allocation_size": "lots"})
    assert crash_data["oom_allocation_size"] is None
    assert SignatureGenerator().generate(crash_data).signature.startswith("EMPTY")


def test_shutdown_hang_is_found_again_after_its_thread_was_overwritten():
    crash_data = from_processed_crash(PROCESSED | {"oom_allocation_size": None})
    assert (
        SignatureGenerator(small_lists()).generate(crash_data).signature == "hang: ui | shutdownhang | main"
    )


def test_dig_follows_keys_and_indices_and_gives_none_beside_the_path():
    document = {"a": [{"b": 1}]}
    assert dig(document, "a", 0, "b") == 1
    assert dig(document, "a", -1) == {"b": 1}
    for path in (("a", 1), ("a", -2), ("a", "b"), ("c", 0), (0,)):
        assert dig(document, *path) is None
