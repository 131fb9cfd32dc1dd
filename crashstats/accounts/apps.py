"""Django's entry to this app."""

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_migrate, post_save, pre_delete, pre_save


class AccountsConfig(AppConfig):
    """Connects what happens after migrations and when rights change."""

    name = "crashstats.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.models import Group

        from crashstats.accounts import checks, groups, records  # noqa: F401  # checks register themselves
        from crashstats.accounts.models import User

        post_migrate.connect(groups.create_permissions_and_groups, sender=self)
        for through in (User.groups.through, User.user_permissions.through, Group.permissions.through):
            m2m_changed.connect(records.membership_changed, sender=through)
        pre_delete.connect(records.group_deleted, sender=Group)
        pre_save.connect(records.remember_flags, sender=User)
        post_save.connect(records.flags_changed, sender=User)
