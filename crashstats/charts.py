"""Small bar charts, drawn on the server as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from crashstats.display import parse_moment, plural

HEIGHT = 24
STEP = 6
GAP = 1


@dataclass(frozen=True)
class Bar:
    """One bar, in the chart's own units; ``label`` says what it stands for."""

    x: int
    y: float
    width: int
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Bars from left to right; ``label`` tells the chart in words, for those who cannot see it."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    label: str


def days_between(start: datetime, end: datetime) -> list[date]:
    """Give every UTC day that the range touches."""
    return [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]


def counts_by_day(buckets: Sequence[Mapping[str, Any]]) -> dict[date, int]:
    """Read the buckets of a histogram by day."""
    moments = ((parse_moment(bucket["term"]), bucket["count"]) for bucket in buckets)
    return {moment.date(): count for moment, count in moments if moment is not None}


def daily_chart(counts: Mapping[date, int], days: Sequence[date]) -> Chart:
    """Draw crashes per day; a day without any has no bar."""
    most = max((counts.get(day, 0) for day in days), default=0)
    bars = tuple(
        _bar(position, day, counts[day], most) for position, day in enumerate(days) if counts.get(day)
    )
    busiest = max(days, key=lambda day: counts.get(day, 0), default=None)
    total = sum(counts.get(day, 0) for day in days)
    label = f"{plural(total, 'crash')} in {plural(len(days), 'day')}"
    return Chart(
        width=len(days) * STEP,
        height=HEIGHT,
        bars=bars,
        label=f"{label}, most on {busiest}: {most:,}" if most else label,
    )


def _bar(position: int, day: date, count: int, most: int) -> Bar:
    height = round(max(1.0, HEIGHT * count / most), 1)
    return Bar(
        x=position * STEP,
        y=round(HEIGHT - height, 1),
        width=STEP - GAP,
        height=height,
        label=f"{day}: {plural(count, 'crash')}",
    )
