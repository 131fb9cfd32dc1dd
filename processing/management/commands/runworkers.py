from typing import Any

from django.core.management.base import BaseCommand

from processing import processor
from processing.cluster import CrashCluster


class Command(BaseCommand):
    help = (
        "Process crashes until SIGTERM or Ctrl-C, then finish those in hand. WORKERS says how many at a time."
    )

    def handle(self, **options: Any) -> None:
        processor.clear_leftovers()
        CrashCluster().run()
