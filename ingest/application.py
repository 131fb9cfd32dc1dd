"""The collector's own small WSGI application: no framework, no database query, no session on the way of a crash."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any

from ingest import decoding
from ingest.admission import Gate, Ticket
from ingest.bodies import body_of
from ingest.client import ClientSocket
from ingest.collector import Accepted, Collector, Sender, UnauthorizedCrashId
from ingest.errors import (
    ClientTimeout,
    GaveWay,
    MalformedPayload,
    Overloaded,
    PayloadTooLarge,
    UnsupportedEncoding,
)
from ingest.health import Health
from ingest.limits import Limits
from ingest.malformed import MalformedSamples
from ingest.metrics import CONTENT_TYPE as METRICS_CONTENT_TYPE
from ingest.metrics import Metrics, client_family
from ingest.payload import CrashReport, parse_boundary, parse_payload
from ingest.server import end_connection
from processing.errors import StorageError

log = getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

_JSON = "application/json"
_JSON_UTF8 = "application/json; charset=utf-8"
_RETRY_AFTER_SECONDS = "60"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: str
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


def _problem(status: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, json.dumps({"title": status}).encode(), _JSON, headers)


def _line(status: str, text: str, *headers: tuple[str, str]) -> Answer:
    """An answer to a submission: one line of ASCII, for clients that show or store it as it is."""
    return Answer(status, text.encode("ascii"), headers=headers)


_RETRY_LATER = ("Retry-After", _RETRY_AFTER_SECONDS)
_ENCODINGS = ("Accept-Encoding", "gzip, deflate, zstd")
_HANG_UP = ("Connection", "close")
_CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Content-Encoding"),
    ("Access-Control-Max-Age", "86400"),
)


class Application:
    """Serves the collector's paths. Answers are exactly what crash reporters expect to parse."""

    def __init__(
        self,
        *,
        collector: Collector,
        gate: Gate,
        limits: Limits,
        uploads: Path,
        metrics: Metrics,
        health: Health,
        samples: MalformedSamples,
        version_file: Path,
    ) -> None:
        self._collector = collector
        self._gate = gate
        self._limits = limits
        self._uploads = uploads
        self._metrics = metrics
        self._health = health
        self._samples = samples
        self._version_file = version_file
        self._pages: Mapping[str, Callable[[], Answer]] = {
            "/__heartbeat__": self._heartbeat,
            "/__lbheartbeat__": self._lbheartbeat,
            "/__version__": self._version,
            "/__broken__": self._broken,
            "/metrics": self._exposition,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/submit":
            answer = self._submit_by_method(method, environ)
        elif path in self._pages:
            answer = self._page(path, method)
        else:
            answer = _problem("404 Not Found")
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if _HANG_UP in answer.headers or ((method != "POST" or path != "/submit") and _has_body(environ)):
            end_connection(start_response)
        start_response(answer.status, [*headers, *answer.headers])
        return [] if method == "HEAD" else [answer.body]

    def _page(self, path: str, method: str) -> Answer:
        if method not in ("GET", "HEAD"):
            return _problem("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        try:
            return self._pages[path]()
        except Exception:
            log.exception("Unhandled exception")
            return _problem("500 Internal Server Error")

    def _submit_by_method(self, method: str, environ: Environ) -> Answer:
        cors = _CORS if "HTTP_ORIGIN" in environ else ()
        if method == "OPTIONS":
            return Answer("200 OK", headers=(("Allow", "POST"), *cors))
        if method != "POST":
            return _problem("405 Method Not Allowed", ("Allow", "POST, OPTIONS"))
        started = time.monotonic()
        self._metrics.count("requests_begun")
        try:
            answer = self._submit(environ)
        except Exception:
            log.exception("Unhandled exception")
            answer = _problem("500 Internal Server Error", _HANG_UP)
        self._metrics.observe("submission", time.monotonic() - started)
        self._metrics.count("answers", answer.status[:3])
        return replace(answer, headers=answer.headers + cors[:1]) if cors else answer

    def _submit(self, environ: Environ) -> Answer:
        """Take one submission; each kind of refusal has its status."""
        body = _Body(environ, self._limits)
        report = CrashReport()
        try:
            with self._gate.enter(body.wanted_bytes(), body.client) as ticket, report:
                boundary = self._read(body, report, ticket)
                self._metrics.count("incoming")
                self._metrics.count("clients", client_family(body.user_agent, boundary))
                outcome = self._collector.collect(report, body.sender())
        except MalformedPayload as exc:
            self._metrics.count("malformed", str(exc))
            self._samples.keep(str(exc), environ, report.head)
            return _line("400 Bad Request", f"Discarded=malformed_{exc}", *body.goodbye())
        except PayloadTooLarge as exc:
            self._metrics.count("too_large", str(exc))
            return _line("413 Request Entity Too Large", f"Discarded=too_large_{exc}", *body.goodbye())
        except UnsupportedEncoding:
            self._metrics.count("malformed", "unsupported_encoding")
            return _line(
                "415 Unsupported Media Type", "Discarded=unsupported_encoding", _ENCODINGS, *body.goodbye()
            )
        except UnauthorizedCrashId:
            self._metrics.count("unauthorized_uuid")
            return _line("401 Unauthorized", "Discarded=unauthorized_uuid")
        except ClientTimeout as exc:
            if isinstance(exc, GaveWay):
                self._metrics.count("turned_away", "gave_way")
            else:
                self._metrics.count("slow_clients")
            return _line("408 Request Timeout", "Discarded=timeout", _HANG_UP)
        except Overloaded as exc:
            self._metrics.count("turned_away", str(exc).replace(" ", "_"))
            return _line(
                "503 Service Unavailable", "Discarded=try_again_later", _RETRY_LATER, *body.goodbye()
            )
        except StorageError:
            return Answer("500 Internal Server Error")
        if isinstance(outcome, Accepted):
            return _line("200 OK", f"CrashID=bp-{outcome.crash_id}\n")
        return _line("200 OK", f"Discarded=rule_{outcome.rule}")

    def _read(self, body: _Body, report: CrashReport, ticket: Ticket) -> bytes:
        """Parse the body into the report. Give the boundary."""
        boundary = parse_boundary(body.content_type)
        body.check_length()
        clock = decoding.Clock()
        pieces = decoding.pieces(
            body.encoding,
            partial(body.read, ticket),
            self._limits,
            clock,
            announced_bytes=body.announced_bytes,
        )
        result = "fail"
        try:
            parse_payload(pieces, boundary, report, self._limits, self._uploads, ticket.hold)
            result = "success"
        except (MalformedPayload, PayloadTooLarge, Overloaded, ClientTimeout):
            raise
        except Exception as exc:  # no body may cause a 500, whatever the parser makes of it
            self._metrics.count("parser_errors")
            log.error("the parser failed on a submission: %s", type(exc).__name__)
            raise MalformedPayload("invalid_payload_structure") from exc
        finally:
            if body.is_compressed:
                self._metrics.count("compressed")
                self._metrics.observe("decompression", clock.seconds, result)
        body.finish()
        self._metrics.observe(
            "body", report.body_bytes, "compressed" if body.is_compressed else "uncompressed"
        )
        return boundary

    def _heartbeat(self) -> Answer:
        self._metrics.count("heartbeat")
        errors = self._health.errors()
        status = "503 Service Unavailable" if errors else "200 OK"
        return Answer(status, json.dumps({"errors": errors}).encode(), _JSON)

    def _lbheartbeat(self) -> Answer:
        self._metrics.count("lbheartbeat")
        return Answer("200 OK", content_type=_JSON_UTF8)

    def _version(self) -> Answer:
        self._metrics.count("version")
        try:
            version = json.loads(self._version_file.read_bytes())
        except (OSError, ValueError):
            version = {}
        return Answer("200 OK", json.dumps(version).encode(), _JSON_UTF8)

    def _broken(self) -> Answer:
        self._metrics.count("broken")
        raise RuntimeError("intentional exception")

    def _exposition(self) -> Answer:
        return Answer("200 OK", self._metrics.exposition(), METRICS_CONTENT_TYPE)


def _has_body(environ: Environ) -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ


class _Body:
    """The body of one request and what its headers say about it.

    ``announced_bytes`` is what Content-Length says; 0 without it.
    """

    def __init__(self, environ: Environ, limits: Limits) -> None:
        self.content_type = str(environ.get("CONTENT_TYPE", ""))
        self.encoding = str(environ.get("HTTP_CONTENT_ENCODING", ""))
        self.is_compressed = decoding.is_compressed(self.encoding)
        self.user_agent = str(environ.get("HTTP_USER_AGENT", ""))
        self.announced_bytes = int(environ.get("CONTENT_LENGTH") or 0)
        self.received_bytes = 0
        self.finished = False
        self._environ = environ
        self._limits = limits
        self.client: ClientSocket = environ["gunicorn.socket"]
        self._source = body_of(environ)

    def wanted_bytes(self) -> int:
        """Give the announced bytes. Raises: PayloadTooLarge when they are too many to be read at all."""
        if self.announced_bytes > self._limits.wire_bytes:
            raise PayloadTooLarge("request")
        return self.announced_bytes

    def check_length(self) -> None:
        """Raises: MalformedPayload for a body without a length or of none."""
        if not self.announced_bytes and "HTTP_TRANSFER_ENCODING" not in self._environ:
            raise MalformedPayload("no_content_length")

    def read(self, ticket: Ticket, size: int) -> bytes | bytearray:
        """Give the next piece as it came over the wire; nothing when the client has closed, for that may be the whole.

        Raises: ClientTimeout, GaveWay, PayloadTooLarge, Overloaded, MalformedPayload.
        """
        piece: bytes | bytearray = self._source.read(size)
        if not piece and self.client.timed_out:
            raise GaveWay if ticket.given_up else ClientTimeout
        self.received_bytes += len(piece)
        if self.received_bytes > self._limits.wire_bytes:
            raise PayloadTooLarge("request")
        if not self.announced_bytes and not self.received_bytes:
            raise MalformedPayload("no_content_length")
        ticket.grow_to(self.received_bytes)
        return piece

    def finish(self) -> None:
        """Note that all of the body has been read."""
        self.finished = True
        self.client.unread = False

    def sender(self) -> Sender:
        get = self._environ.get
        address = f"{get('REMOTE_ADDR', '')} {get('HTTP_X_FORWARDED_FOR', '')} {self.user_agent}"
        return Sender(
            user_agent=self.user_agent,
            client=address,
            authorization=str(get("HTTP_AUTHORIZATION", "")),
            compressed=self.is_compressed,
            wire_bytes=self.announced_bytes or self.received_bytes,
        )

    def goodbye(self) -> tuple[tuple[str, str], ...]:
        """Give the header that ends the connection when part of the body was left unread."""
        return () if self.finished else (_HANG_UP,)
