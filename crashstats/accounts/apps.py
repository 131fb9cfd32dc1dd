"""Django's entry to this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "crashstats.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
