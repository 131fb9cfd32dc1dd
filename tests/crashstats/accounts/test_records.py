import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from crashstats.accounts.models import AccessRecord, GrantRecord, User
from crashstats.accounts.records import record_access

pytestmark = pytest.mark.django_db


def recorded() -> list[tuple[str, str, str, str]]:
    return list(GrantRecord.objects.order_by("id").values_list("granted_by", "recipient", "action", "right"))


@pytest.fixture(autouse=True)
def without_what_the_migration_gave(db) -> None:
    GrantRecord.objects.all().delete()


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def hackers() -> Group:
    return Group.objects.get(name="Hackers")


def test_a_new_plain_account_records_nothing(ada):
    assert recorded() == []


def test_joining_and_leaving_a_group_is_recorded(ada, hackers):
    ada.groups.add(hackers)
    ada.groups.remove(hackers)
    assert recorded() == [("", "ada", "given", "group Hackers"), ("", "ada", "taken", "group Hackers")]


def test_joining_from_the_group_side_names_the_same_recipient(ada, hackers):
    hackers.user_set.add(ada)
    assert recorded() == [("", "ada", "given", "group Hackers")]


def test_clearing_groups_names_each_group_that_was_lost(ada, hackers):
    ada.groups.add(hackers)
    ada.groups.clear()
    assert recorded()[1:] == [("", "ada", "taken", "group Hackers")]


def test_clearing_a_group_from_its_own_side_names_each_member(ada, hackers):
    ada.groups.add(hackers)
    hackers.user_set.clear()
    assert recorded()[1:] == [("", "ada", "taken", "group Hackers")]


def test_deleting_a_group_takes_it_from_its_members(ada, hackers):
    ada.groups.add(hackers)
    hackers.delete()
    assert recorded()[1:] == [("", "ada", "taken", "group Hackers")]


def test_permissions_of_accounts_and_groups_are_recorded(ada):
    permission = Permission.objects.get(codename="view_pii")
    ada.user_permissions.add(permission)
    readers = Group.objects.create(name="Readers")
    readers.permissions.add(permission)
    assert recorded() == [
        ("", "ada", "given", "permission crashstats.view_pii"),
        ("", "group Readers", "given", "permission crashstats.view_pii"),
    ]


def test_flags_are_recorded_when_they_change_only(ada):
    ada.is_superuser = True
    ada.save()
    ada.first_name = "Ada"
    ada.save()
    ada.is_superuser = False
    ada.is_active = False
    ada.save()
    assert recorded() == [
        ("", "ada", "given", "is_superuser"),
        ("", "ada", "taken", "is_active"),
        ("", "ada", "taken", "is_superuser"),
    ]


def test_an_account_born_as_superuser_is_recorded():
    User.objects.create_superuser("root")
    assert recorded() == [("", "root", "given", "is_staff"), ("", "root", "given", "is_superuser")]


def test_a_grant_in_the_admin_names_who_gave_it(client, ada, hackers):
    client.force_login(User.objects.create_superuser("root"))
    client.post(
        reverse("admin:accounts_user_change", args=[ada.pk]),
        {
            "username": "ada",
            "groups": [hackers.pk],
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
        },
    )
    assert ("root", "ada", "given", "group Hackers") in recorded()


def test_after_a_request_nobody_is_blamed_for_what_a_command_does(client, ada, hackers):
    client.force_login(User.objects.create_superuser("root"))
    client.get(reverse("admin:index"))
    ada.groups.add(hackers)
    assert recorded()[-1] == ("", "ada", "given", "group Hackers")


def test_an_access_record_outlives_the_account(ada):
    record_access(ada, "0b1ec0de-7a11-4f00-8a5e-1c3f50260801", AccessRecord.Door.REPORT)
    ada.delete()
    record = AccessRecord.objects.get()
    assert (record.user, record.username, record.crash_id) == (
        None,
        "ada",
        "0b1ec0de-7a11-4f00-8a5e-1c3f50260801",
    )
