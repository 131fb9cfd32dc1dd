import logging
from typing import Any

from django.core.management.base import BaseCommand

from processing import processor, rulesets
from processing.cluster import CrashCluster
from processing.stackwalker.runner import StackwalkerMissing

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Process crashes until SIGTERM or Ctrl-C, then finish those in hand. WORKERS says how many at a time."
    )

    def handle(self, **options: Any) -> None:
        processor.clear_leftovers()
        try:
            rulesets.build_ruleset(rulesets.DEFAULT)  # once for all workers, which are copies of this process
        except StackwalkerMissing as exc:
            logger.error("crashes wait until the stackwalker can be run: %s", exc)
        CrashCluster().run()
