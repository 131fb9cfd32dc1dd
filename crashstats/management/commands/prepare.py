"""Bring database and static files up to date, make a first search index, see to it that somebody can sign in."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from processing.models import Crash

ADMINISTRATOR = "admin"


class Command(BaseCommand):
    help = "Migrate the database, collect static files, see to first index and first administrator. Safe to run again."

    def handle(self, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        if not Crash.objects.exists():  # else it may take long: the indexer does it while the site is up
            call_command("searchindex", rebuild=True, if_needed=True, stdout=self.stdout)
        users = get_user_model()._default_manager
        if not users.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            users.create_superuser(username=ADMINISTRATOR, email="", password=password)
            self.stdout.write(
                f"First administrator: {ADMINISTRATOR} with password {password} (shown only now)"
            )
