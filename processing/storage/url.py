"""The setting CRASH_STORAGE from one line of text."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

#: Options of a bucket that the query of a URL may name.
_S3_OPTIONS = frozenset(
    {"access_key", "addressing_style", "endpoint_url", "location", "region_name", "secret_key"}
)
_GCS_OPTIONS = frozenset({"location", "project_id"})
_SECONDS = {"connect_timeout": 2, "read_timeout": 5}
_IN_MEMORY_BYTES = 1024 * 1024


def parse(text: str) -> dict[str, Any]:
    """Give the setting for ``file:///folder``, ``s3://bucket?endpoint_url=...`` or ``gs://bucket``.

    Raises: ValueError with a phrase that says what is wrong.
    """
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    match parts.scheme:
        case "file" if not parts.netloc and parts.path.startswith("/") and not options:
            return {
                "BACKEND": "processing.storage.filesystem.FileSystemCrashStorage",
                "OPTIONS": {"root": unquote(parts.path)},
            }
        case "s3" if parts.netloc and not parts.path.strip("/"):
            return _objects("s3.S3Storage", parts.netloc, options, _S3_OPTIONS, _s3_manners)
        case "gs" if parts.netloc and not parts.path.strip("/"):
            return _objects("gcloud.GoogleCloudStorage", parts.netloc, options, _GCS_OPTIONS, dict)
    raise ValueError(
        "not file:///folder, s3://bucket or gs://bucket (options follow as ?endpoint_url=...&region_name=...)"
    )


def _objects(
    backend: str, bucket: str, options: dict[str, str], known: frozenset[str], manners: Any
) -> dict[str, Any]:
    if unknown := options.keys() - known:
        raise ValueError(f"unknown option {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return {
        "BACKEND": "processing.storage.objectstore.ObjectCrashStorage",
        "OPTIONS": {
            "storage": {
                "BACKEND": f"storages.backends.{backend}",
                "OPTIONS": {"bucket_name": bucket, "file_overwrite": True, **options, **manners()},
            }
        },
    }


def _s3_manners() -> dict[str, Any]:
    """Answer soon, or fail soon: who saves crashes has a spool and tries again itself."""
    from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    return {
        "client_config": Config(**_SECONDS, retries={"mode": "standard", "total_max_attempts": 1}),
        "transfer_config": TransferConfig(use_threads=False),
        "max_memory_size": _IN_MEMORY_BYTES,
    }
