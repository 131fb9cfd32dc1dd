"""Limits for tests; how large they are when nobody sets them is said in the settings alone."""

from __future__ import annotations

from dataclasses import replace

from crashstats.collector_settings import COLLECTOR
from ingest.limits import Limits


def make_limits(**changed: int) -> Limits:
    """Give the limits of the settings' defaults, some of them changed."""
    return replace(Limits(**COLLECTOR["limits"]), **changed)
