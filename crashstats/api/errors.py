"""What goes wrong under ``/api/`` as status and JSON: always an object with ``error``, one sentence for people."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.response import Response

from crashstats.supersearch.values import BadParameter
from processing.errors import BadQuery, SearchError, StorageError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 30


class Refused(Exception):
    """The request is answered with ``status`` and ``error``; ``errors`` holds texts by parameter."""

    def __init__(self, status: int, error: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.body: dict[str, Any] = {"error": error} | ({"errors": errors} if errors else {})


def missing(parameter: str) -> Refused:
    """A required parameter was not given."""
    reason = "This field is required."
    return Refused(400, f"{parameter}: {reason}", {parameter: [reason]})


def bad_value(parameter: str, reason: str) -> Refused:
    """A parameter was given a value that it cannot have."""
    text = f"Bad request: BadArgumentError: Bad value for parameter(s) '{parameter}': {reason}"
    return Refused(400, text, {parameter: [reason]})


def response_for(exc: Exception, request: HttpRequest) -> Response:
    """Give the answer for an exception. What nobody expected is logged whole and shown as 500 without its text."""
    match exc:
        case Refused():
            return Response(exc.body, status=exc.status)
        case BadParameter():
            return _error(400, f"Bad request: BadArgumentError: {exc}", errors={exc.parameter: [exc.reason]})
        case BadQuery():
            return _error(400, f"Bad request: BadArgumentError: {exc}")
        case SearchError():
            logger.error("%s: search did not answer: %s", request.path, exc)
            return _try_again("Search cannot answer now; try again later")
        case StorageError():
            logger.error("%s: crash storage did not answer: %s", request.path, exc)
            return _try_again("Crash storage cannot answer now; try again later")
        case MethodNotAllowed():
            return _error(405, "Method not allowed")
        case SuspiciousOperation():
            return _error(400, "Bad request: too many parameters, or a parameter that cannot be read")
        case APIException():
            return _error(exc.status_code, str(exc.detail))
    logger.error("%s: unexpected error", request.path, exc_info=exc)
    return _error(500, "Internal Server Error", path=request.path, query_string=request.META["QUERY_STRING"])


def _error(status: int, text: str, **more: Any) -> Response:
    return Response({"error": text, **more}, status=status)


def _try_again(text: str) -> Response:
    response = _error(503, text)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
