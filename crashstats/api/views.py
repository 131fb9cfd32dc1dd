"""The endpoints."""

from __future__ import annotations

from django.http import FileResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from crashstats.accounts.models import AccessRecord
from crashstats.api.base import ApiView
from crashstats.api.errors import Refused, bad_value, missing
from crashstats.permissions import VIEW_RAWDUMP
from crashstats.supersearch.grammar import parse
from processing import crashid
from processing.errors import CrashNotFound
from processing.schema.field import Permission
from processing.schema.redact import redact_processed, redact_raw
from processing.search import get_search
from processing.storage import get_storage

#: What dumps are called in storage; the main one answers to three names.
MAIN_DUMP = "upload_file_minidump"
MEMORY_REPORT = "memory_report"
_MAIN_DUMP_NAMES = ("", "dump", MAIN_DUMP)


class ProcessedCrash(ApiView):
    """``GET ?crash_id=…``: what processing found out about a crash, as far as the caller may see it."""

    def get(self, request: Request) -> Response:
        crash_id = _crash_id(request)
        try:
            processed_crash = get_storage().get_processed_crash(crash_id)
        except CrashNotFound as exc:
            raise _not_found(crash_id) from exc
        if Permission.PROTECTED in self.allowed:
            self.record_access(AccessRecord.Door.PROCESSED_CRASH, crash_id)
        return Response(redact_processed(processed_crash, self.allowed))


class RawCrash(ApiView):
    """``GET ?crash_id=…``: the annotations as they were sent; ``&format=raw&name=…``: one of the dumps."""

    def get(self, request: Request) -> Response | FileResponse:
        crash_id = _crash_id(request)
        match request.query_params.get("format", "meta"):
            case "meta":
                return self._meta(crash_id)
            case "raw":
                return self._dump(crash_id, request.query_params.get("name", ""))
        raise bad_value("format", "expected meta or raw")

    def _meta(self, crash_id: str) -> Response:
        try:
            raw_crash = get_storage().get_raw_crash(crash_id)
        except CrashNotFound as exc:
            raise _not_found(crash_id) from exc
        if Permission.PROTECTED in self.allowed:
            self.record_access(AccessRecord.Door.RAW_CRASH, crash_id)
        return Response(redact_raw(raw_crash, self.allowed))

    def _dump(self, crash_id: str, asked_name: str) -> FileResponse:
        if VIEW_RAWDUMP.codename not in self.allowed:
            raise Refused(403, f"Binary response requires permissions: {VIEW_RAWDUMP.label}")
        name = MAIN_DUMP if asked_name in _MAIN_DUMP_NAMES else asked_name
        storage = get_storage()
        try:
            if name not in storage.get_dump_names(crash_id):
                raise _not_found(crash_id)
            file = storage.open_dump(crash_id, name)
        except CrashNotFound as exc:
            raise _not_found(crash_id) from exc
        self.record_access(AccessRecord.Door.DUMP, crash_id)
        return FileResponse(
            file,
            as_attachment=True,
            filename=_file_name(crash_id, name, asked_name),
            content_type="application/octet-stream",
        )


class SuperSearch(ApiView):
    """``GET`` with the parameters of Super Search: hits, their exact number, and what was counted among all of them.

    Whatever names a field that the caller may not see is left out, and ``warnings`` tells so.
    """

    cache_seconds = 300

    def get(self, request: Request) -> Response:
        parsed = parse(request.query_params, self.allowed, now=timezone.now())
        result = get_search().search(parsed.query)
        if not all(field.is_public for field in parsed.query.fields()):
            self.record_access(AccessRecord.Door.SEARCH)
        return Response(
            {
                "hits": result.hits,
                "total": result.total,
                "facets": result.facets,
                "errors": [],
                "warnings": parsed.warnings,
            }
        )


class UnknownEndpoint(ApiView):
    """Every other name."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise Refused(404, f"No service called '{str(kwargs['name'])[:60]}'")


def _crash_id(request: Request) -> str:
    text = request.query_params.get("crash_id", "")
    if not text.strip():
        raise missing("crash_id")
    try:
        return crashid.parse(text)
    except crashid.InvalidCrashId as exc:
        raise bad_value("crash_id", str(exc)) from exc


def _not_found(crash_id: str) -> Refused:
    return Refused(404, f"Not found: CrashIDNotFound {crash_id}")


def _file_name(crash_id: str, name: str, asked_name: str) -> str:
    if name == MEMORY_REPORT:
        return "memory_report.json.gz"
    return f"{crash_id}-{name}.dmp" if asked_name else f"{crash_id}.dmp"
