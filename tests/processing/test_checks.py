from __future__ import annotations

import pytest
from django.core.checks import run_checks


def problems() -> list[str]:
    return [found.id for found in run_checks() if found.id.startswith("processing.")]


def test_the_settings_as_they_come_are_in_order():
    assert problems() == []


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("QUEUE", {"lease_seconds": 0}, "processing.E002"),
        ("QUEUE", {"max_attempts": 0}, "processing.E003"),
        ("Q_CLUSTER", {"broker_class": "django_q.brokers.orm.ORM"}, "processing.E004"),
    ],
)
def test_settings_that_would_stop_or_double_the_work_are_refused(settings, name, changes, problem):
    setattr(settings, name, {**getattr(settings, name), **changes})
    assert problems() == [problem]


def test_no_workers_are_refused(settings):
    settings.WORKERS = 0
    assert problems() == ["processing.E001"]
