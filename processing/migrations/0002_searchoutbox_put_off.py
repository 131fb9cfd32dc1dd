"""Rows of the search outbox can be put off one by one, and tell why."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("processing", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="searchoutbox", name="due_at", field=models.DateTimeField(db_default=Now())
        ),
        migrations.AddField(
            model_name="searchoutbox", name="last_error", field=models.TextField(db_default="")
        ),
        migrations.AddIndex(
            model_name="searchoutbox",
            index=models.Index(fields=["due_at", "id"], name="processing_outbox_order"),
        ),
    ]
