"""Attempts to sign in are counted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SignInAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.CharField(max_length=64)),
                ("place", models.CharField(max_length=64)),
                ("is_known", models.BooleanField()),
                ("attempted_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["account", "attempted_at"], name="sign_in_by_account"),
                    models.Index(fields=["place", "attempted_at"], name="sign_in_by_place"),
                    models.Index(fields=["attempted_at"], name="sign_in_by_time"),
                ]
            },
        ),
    ]
