"""Start-up checks of what workers need from the settings; Django runs them before every command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def check_queue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse numbers with which no crash would ever be processed, or each of them twice."""
    problems = [
        (
            settings.WORKERS < 1,
            "E001",
            "WORKERS is 0: no crash would be processed",
            "Set WORKERS to 1 or more; to have no workers on a machine, do not start `manage.py runworkers` there.",
        ),
        (
            settings.QUEUE["lease_seconds"] < 1,
            "E002",
            "QUEUE_LEASE is 0: every crash would go to several workers at the same time",
            "Set QUEUE_LEASE to the seconds that a killed worker's crash may wait, such as 45.",
        ),
        (
            settings.QUEUE["max_attempts"] < 1,
            "E003",
            "QUEUE_ATTEMPTS is 0: every crash would fail before its first attempt",
            "Set QUEUE_ATTEMPTS to 1 or more.",
        ),
        (
            settings.Q_CLUSTER["broker_class"] != "processing.broker.CrashBroker",
            "E004",
            f"Q_CLUSTER has the broker {settings.Q_CLUSTER['broker_class']!r}, which does not know our queues",
            "Set broker_class to 'processing.broker.CrashBroker'.",
        ),
    ]
    return [
        Error(message, hint=hint, id=f"processing.{number}")
        for wrong, number, message, hint in problems
        if wrong
    ]
