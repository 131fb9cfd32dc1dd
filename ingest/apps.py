"""Django's entry to this app."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"
