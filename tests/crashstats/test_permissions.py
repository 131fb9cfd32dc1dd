import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.management import call_command

from crashstats.accounts.models import User
from crashstats.permissions import allowed_permissions

pytestmark = pytest.mark.django_db


def member_of(group_name: str) -> User:
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.get(name=group_name))
    return user


def test_anonymous_visitors_and_plain_accounts_see_public_data_only():
    assert allowed_permissions(AnonymousUser()) == {"public"}
    assert allowed_permissions(User.objects.create_user("ada")) == {"public"}


def test_hackers_see_protected_data_but_run_no_custom_queries():
    assert allowed_permissions(member_of("Hackers")) == {
        "public",
        "protected",
        "view_pii",
        "view_rawdump",
        "run_long_queries",
        "reprocess_crashes",
    }


def test_hackers_plus_run_custom_queries_too():
    assert "run_custom_queries" in allowed_permissions(member_of("Hackers Plus"))


def test_view_rawdump_alone_does_not_open_protected_data():
    user = User.objects.create_user("ada")
    user.user_permissions.add(Permission.objects.get(codename="view_rawdump"))
    assert allowed_permissions(user) == {"public", "view_rawdump"}


def test_a_deactivated_account_counts_as_anonymous_even_as_superuser():
    user = User.objects.create_superuser("root")
    assert "protected" in allowed_permissions(user)
    user.is_active = False
    assert allowed_permissions(user) == {"public"}


def test_migrating_again_neither_doubles_nor_gives_back_what_was_taken_away():
    hackers = Group.objects.get(name="Hackers")
    hackers.permissions.remove(Permission.objects.get(codename="view_rawdump"))
    call_command("migrate", verbosity=0)
    assert Permission.objects.filter(content_type__app_label="crashstats", codename="view_pii").count() == 1
    assert set(hackers.permissions.values_list("codename", flat=True)) == {
        "view_pii",
        "run_long_queries",
        "reprocess_crashes",
    }
