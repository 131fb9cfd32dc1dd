"""Answers as JSON, whatever the client says it accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class CompactJson(BaseRenderer):
    """ASCII JSON without blanks; ``pretty=print`` in the address indents it.

    ``</`` is written ``<\\/``, so that an answer pasted into a page cannot end a script there.
    """

    media_type = "application/json"
    format = "json"
    charset = "UTF-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        request = (renderer_context or {})["request"]
        pretty = request.query_params.get("pretty") == "print"
        return dump(data, pretty=pretty)


class AlwaysJson(BaseContentNegotiation):
    """Ignore the Accept header; ``format`` in an address means something else here."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def dump(data: Any, *, pretty: bool = False) -> bytes:
    """Give data as JSON; numbers that JSON does not know (NaN, infinity) become null."""
    try:
        text = _dumps(data, pretty)
    except ValueError:
        text = _dumps(_finite(data), pretty)
    return text.replace("</", "<\\/").encode()


def _dumps(data: Any, pretty: bool) -> str:
    if pretty:
        return json.dumps(data, indent=2, allow_nan=False)
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(item) for item in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
