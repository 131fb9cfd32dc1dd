from __future__ import annotations

import pytest

from processing.storage.memory import MemoryCrashStorage
from tests.contracts.storage import StorageContract


@pytest.fixture
def storage() -> MemoryCrashStorage:
    return MemoryCrashStorage()


class TestMemoryCrashStorage(StorageContract):
    pass
