"""Let somebody log in while strangers' guesses keep an account closed to new places."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crashstats.accounts import attempts
from crashstats.accounts.models import User


class Command(BaseCommand):
    help = (
        "Print a page of the site that makes the browser which opens it known to an account, so that it can log in "
        "however many attempts have failed elsewhere. The password is asked for as always."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="NAME")

    def handle(self, *, username: str, **options: Any) -> None:
        if not User.objects.filter(username=username, is_active=True).exists():
            raise CommandError(f"there is no active account named {username!r}")
        minutes = attempts.LET_IN_AGE.total_seconds() // 60
        self.stdout.write(f"open this page of the site within {minutes:.0f} minutes, then log in:")
        self.stdout.write(attempts.let_in_link(username))
