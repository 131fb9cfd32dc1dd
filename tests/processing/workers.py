"""``python -m tests.processing.workers RULE…``: `manage.py runworkers`, with other rules in the default ruleset."""

from __future__ import annotations

import os
import sys
from typing import Any


def main(rules: list[str]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crashstats.settings"
    import django

    from crashstats import settings

    settings.Q_CLUSTER["timeout"] = int(os.environ.get("TEST_TIME_LIMIT", "60"))
    django.setup()
    from django.core.management import call_command

    from processing import rulesets

    rulesets_in_force: Any = rulesets.RULESETS
    rulesets_in_force[rulesets.DEFAULT] = tuple(rules)
    call_command("runworkers")


if __name__ == "__main__":
    main(sys.argv[1:])
