"""The schema is complete, consistent, and shows the public no more than was decided."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import processing.rules
from processing.rules.base import Rule
from processing.schema import registry
from processing.schema.annotations import ANNOTATIONS
from processing.schema.field import ANY_KEY, Field, FieldType, Permission, SearchKind, Shape
from processing.schema.processed import NESTED

# A change of either list shows in review: it changes what strangers see.
PROTECTED_FIELDS = {
    "breadcrumbs",
    "collector_metadata",
    "dumper_error",
    "glean_client_id",
    "gmp_library_path",
    "has_guard_page_access",
    "java_stack_trace_raw",
    "mac_boot_args",
    "mdsw_return_code",
    "mdsw_stderr",
    "memory_report",
    "memory_report_error",
    "moz_crash_reason_raw",
    "phc_alloc_stack",
    "phc_base_address",
    "phc_free_stack",
    "phc_kind",
    "phc_usable_size",
    "remote_type",
    "signature_debug",
    "soft_errors",
    "submitted_from_infobar",
    "url",
    "user_comments",
}
PROTECTED_ANNOTATIONS = {
    "additional_minidumps",
    "Breadcrumbs",
    "Comments",
    "DumperError",
    "GleanClientId",
    "GMPLibraryPath",
    "JavaException",
    "JavaStackTrace",
    "metadata",
    "ModuleSignatureInfo",
    "MozCrashReason",
    "PHCAllocStack",
    "PHCBaseAddress",
    "PHCFreeStack",
    "PHCKind",
    "PHCUsableSize",
    "RemoteType",
    "URL",
}
OUR_OWN_FIELDS = {
    "failed_rules",
    "processor_version",
    "ruleset",
    "signature_explanation",
    "signature_profile",
    "stackwalker_seconds",
}


def rule_names() -> set[str]:
    for module in pkgutil.iter_modules(processing.rules.__path__):
        importlib.import_module(f"processing.rules.{module.name}")
    return {rule.__name__ for rule in Rule.__subclasses__()}


def test_every_field_of_the_reference_is_there_and_no_name_twice():
    names = [row.name for row in registry.FIELDS]
    assert len(set(names)) == len(names) == 166 + len(OUR_OWN_FIELDS)
    assert set(names) >= OUR_OWN_FIELDS


def test_every_search_field_of_the_reference_is_there_and_no_name_twice():
    names = [row.public_name for row in registry.search_fields()]
    assert len(set(names)) == len(names) == 156
    assert names == sorted(names)


def test_only_the_decided_fields_are_protected():
    assert {row.name for row in registry.FIELDS if not row.is_public} == PROTECTED_FIELDS


def test_only_the_decided_annotations_are_protected():
    assert len(ANNOTATIONS) == 123
    assert {
        row.name for row in ANNOTATIONS.values() if row.permission is Permission.PROTECTED
    } == PROTECTED_ANNOTATIONS


def test_a_field_is_copied_or_made_by_a_rule_that_exists_and_never_both():
    makers = {*rule_names(), "pipeline"}
    for row in (*registry.FIELDS, *NESTED):
        if row.annotation:
            assert row.annotation in ANNOTATIONS, row.name
            assert not row.rule, row.name
        else:
            assert row.rule in makers, row.name


def test_every_row_is_explained_in_one_sentence():
    for row in (*registry.FIELDS, *NESTED, *ANNOTATIONS.values()):
        assert row.doc.endswith("."), row.name
        assert len(row.doc) < 120, row.name


def shape_at(path: tuple[str, ...]) -> Shape:
    row = registry.field(path[0])
    shape: Shape = row.permission if row.shape is None else row.shape
    for key in path[1:]:
        if shape is Permission.PROTECTED:
            return shape
        assert isinstance(shape, dict), path
        shape = shape.get(key, shape.get(ANY_KEY, Permission.PROTECTED))
    return shape


@pytest.mark.parametrize(
    "row", [row for row in registry.search_fields() if len(row.path) > 1], ids=lambda row: row.name
)
def test_a_nested_search_field_is_as_protected_as_the_value_it_shows(row: Field):
    assert shape_at(row.path) == row.permission


def test_a_search_field_that_is_not_nested_shows_the_field_of_that_name():
    for row in registry.search_fields():
        if len(row.path) == 1:
            assert registry.field(row.path[0]) is row


def test_search_kinds_fit_the_types():
    allowed = {
        FieldType.STRING: {
            SearchKind.KEYWORD,
            SearchKind.TEXT,
            SearchKind.LIST,
            SearchKind.FRAMES,
            SearchKind.INTEGER,
        },
        FieldType.INTEGER: {SearchKind.INTEGER},
        FieldType.NUMBER: {SearchKind.NUMBER},
        FieldType.BOOLEAN: {SearchKind.BOOLEAN},
        FieldType.DATETIME: {SearchKind.DATETIME},
    }
    for row in registry.search_fields():
        assert row.search in allowed[row.type], row.name


def test_old_names_find_their_fields():
    assert registry.search_field("date").name == "date_processed"
    assert registry.search_field("build_id").name == "build"
    assert registry.search_field("platform").name == "os_name"
    assert registry.search_field("cpu_count").path == ("json_dump", "system_info", "cpu_count")
    assert registry.search_field("proto_signature").search is SearchKind.FRAMES


def test_what_is_not_there_is_a_key_error():
    with pytest.raises(KeyError):
        registry.field("memory_explicit")
    with pytest.raises(KeyError):
        registry.search_field("json_dump")


def test_rows_can_be_keys_of_a_dict():
    assert len({row: row.name for row in registry.FIELDS}) == len(registry.FIELDS)
