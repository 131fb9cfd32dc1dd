from __future__ import annotations

import pytest

from tests.contracts.storage import make_crash_id


@pytest.fixture
def crash_id() -> str:
    return make_crash_id()
