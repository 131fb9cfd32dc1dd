import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from processing import processor, rulesets
from processing.cluster import CrashCluster
from processing.stackwalker.runner import StackwalkerMissing

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Process crashes until SIGTERM or Ctrl-C, then finish those in hand. WORKERS says how many at a time."
    )

    def handle(self, **options: Any) -> None:
        if settings.DATABASE_POOL:
            raise CommandError(
                f"DATABASE_POOL={settings.DATABASE_POOL}: workers are processes of one thread; leave it 0 for them"
            )
        processor.clear_leftovers()
        try:
            rulesets.build_ruleset(rulesets.DEFAULT)  # once for all workers, which are copies of this process
        except StackwalkerMissing as exc:
            logger.error("crashes wait until the stackwalker can be run: %s", exc)
        CrashCluster().run()
