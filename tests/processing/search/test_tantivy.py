"""The search contract on tantivy, and what is this engine's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from processing.search.base import SearchBackend
from processing.search.tantivy import TantivySearch
from tests.contracts.search import SearchContract


@pytest.fixture
def search(tmp_path: Path) -> SearchBackend:
    engine = TantivySearch(tmp_path / "search")
    engine.index({})
    return engine


class TestTantivyKeepsTheContract(SearchContract):
    pass
