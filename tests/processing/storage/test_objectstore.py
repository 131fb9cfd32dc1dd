"""The object storage against a real server that speaks S3, over HTTP."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from moto.server import ThreadedMotoServer

from processing import backends
from processing.errors import CrashDamaged, StorageError, StorageMisconfigured
from processing.storage import CrashStorage, url
from tests.contracts.storage import DAY, RAW, StorageContract


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str) -> Any:
    client = boto3.resource(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="eu-central-1",
    )
    made = client.create_bucket(
        Bucket=secrets.token_hex(8), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield made
    made.objects.all().delete()
    made.delete()


def make_storage(endpoint: str, bucket_name: str) -> CrashStorage:
    text = f"s3://{bucket_name}?endpoint_url={quote(endpoint)}&region_name=eu-central-1&access_key=key&secret_key=secret"
    storage: CrashStorage = backends.build(url.parse(text), "CRASH_STORAGE")
    return storage


@pytest.fixture
def storage(endpoint: str, bucket: Any) -> CrashStorage:
    return make_storage(endpoint, bucket.name)


class TestObjectCrashStorage(StorageContract):
    pass


#: Checks a storage, and once more in each of two processes.
CHECK_AND_FORK = """
import os, sys
from django.core.files.storage import InMemoryStorage
from processing.storage.objectstore import ObjectCrashStorage

class OneConnection(InMemoryStorage):
    connected_in = 0

    def _save(self, name, content):
        self.connected_in = self.connected_in or os.getpid()
        assert self.connected_in == os.getpid(), "this is the connection of another process"
        return super()._save(name, content)

storage = ObjectCrashStorage({"BACKEND": "__main__.OneConnection"})
storage.check()
child = os.fork()
storage.check()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_forked_processes_connect_for_themselves(tmp_path: Path) -> None:
    """Google's library keeps connections for the whole object: two processes would read each other's answers."""
    settings = {"DJANGO_SETTINGS_MODULE": "crashstats.collector_settings", "VAR_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CHECK_AND_FORK],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_objects_lie_where_mozillas_systems_look_for_them(
    storage: CrashStorage, bucket: Any, crash_id: str
) -> None:
    storage.check()
    storage.save_raw_crash(
        crash_id, {"ProductName": "Test"}, {"upload_file_minidump": b"abcd1234", "memory_report": b"m"}
    )
    storage.save_processed_crash(crash_id, {"signature": "a"})
    found = {item.key: item.get()["Body"].read() for item in bucket.objects.all()}
    assert found == {
        f"v1/raw_crash/20260801/{crash_id}": b'{"ProductName": "Test"}',
        f"v1/dump_names/{crash_id}": b'["memory_report", "upload_file_minidump"]',
        f"v1/dump/{crash_id}": b"abcd1234",
        f"v1/memory_report/{crash_id}": b"m",
        f"v1/processed_crash/{crash_id}": b'{"signature": "a"}',
    }


def test_an_object_that_holds_something_else_is_a_damaged_crash(
    storage: CrashStorage, bucket: Any, crash_id: str
) -> None:
    storage.save_raw_crash(crash_id, RAW, {})
    for item in bucket.objects.all():
        item.put(Body=b'{"ProductName": ')
    for read in (storage.get_raw_crash, storage.get_dump_names):
        with pytest.raises(CrashDamaged, match=crash_id):
            read(crash_id)


def test_a_bucket_that_does_not_exist_is_a_wrong_setting(endpoint: str, crash_id: str) -> None:
    with pytest.raises(StorageMisconfigured, match="bucket"):
        make_storage(endpoint, "missing-bucket").check()
    with pytest.raises(StorageError, match=crash_id):
        make_storage(endpoint, "missing-bucket").save_raw_crash(crash_id, RAW, {})


def test_a_server_that_is_away_is_a_storage_error_and_no_wrong_setting(crash_id: str) -> None:
    storage = make_storage("http://127.0.0.1:1", "bucket")
    with pytest.raises(StorageError) as failure:
        storage.check()
    assert not isinstance(failure.value, StorageMisconfigured)
    with pytest.raises(StorageError):
        storage.get_raw_crash(crash_id)
    with pytest.raises(StorageError):
        list(storage.list_crash_ids(DAY))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not file:///folder"),
        ("crashes", "not file:///folder"),
        ("file://crashes", "not file:///folder"),
        ("s3://", "not file:///folder"),
        ("s3://bucket/folder", "not file:///folder"),
        ("s3://bucket?regoin=x", "unknown option regoin"),
    ],
)
def test_a_wrong_url_is_refused_with_a_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        url.parse(text)


def test_urls_name_folders_and_buckets() -> None:
    assert url.parse("file:///var/with%20blank")["OPTIONS"] == {"root": "/var/with blank"}
    assert url.parse("gs://bucket")["OPTIONS"]["storage"]["OPTIONS"] == {
        "bucket_name": "bucket",
        "file_overwrite": True,
    }
