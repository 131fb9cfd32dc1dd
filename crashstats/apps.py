"""Django's entry to this app."""

from django.apps import AppConfig


class CrashStatsConfig(AppConfig):
    name = "crashstats"
    default_auto_field = "django.db.models.BigAutoField"
