"""The ledger, the trigger that counts its processed crashes, the work queue, the search outbox."""

from django.db import migrations, models

STATES = [
    (name, name.capitalize()) for name in ("saved", "queued", "processing", "processed", "failed", "deleted")
]

# Crash ids and states compare byte by byte, whatever the database's language. Days without a partition of their own
# live in the default partition, so that a row can always be written (see processing/partitions.py).
# The partial index holds only what is under way or failed: few rows, however large the ledger is.
MAKE_LEDGER = """
CREATE TABLE processing_crash (
    day date NOT NULL,
    crash_id varchar(36) COLLATE "C" NOT NULL,
    product text NOT NULL,
    received_at timestamptz NOT NULL,
    state varchar(12) COLLATE "C" NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    processed_at timestamptz,
    PRIMARY KEY (day, crash_id)
) PARTITION BY RANGE (day);
CREATE TABLE processing_crash_default PARTITION OF processing_crash DEFAULT;
CREATE INDEX processing_crash_unfinished ON processing_crash (state, crash_id)
    WHERE state IN ('saved', 'queued', 'processing', 'failed');
"""

COUNT_PROCESSED = """
CREATE FUNCTION processing_count_processed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.state = 'processed' THEN
        INSERT INTO processing_processedcount (day, crashes) VALUES (OLD.day, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.state = 'processed' THEN
        INSERT INTO processing_processedcount (day, crashes) VALUES (NEW.day, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER processing_count_inserted AFTER INSERT ON processing_crash
    FOR EACH ROW WHEN (NEW.state = 'processed') EXECUTE FUNCTION processing_count_processed();
CREATE TRIGGER processing_count_updated AFTER UPDATE OF state ON processing_crash
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION processing_count_processed();
CREATE TRIGGER processing_count_deleted AFTER DELETE ON processing_crash
    FOR EACH ROW WHEN (OLD.state = 'processed') EXECUTE FUNCTION processing_count_processed();
"""

# Messages come and go: a table that is cleaned early stays small and quick, whatever passed through it.
CLEAN_EARLY = "".join(
    f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,"
    f" autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000);"
    for table in ("processing_queuedcrash", "processing_searchoutbox", "processing_processedcount")
)


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(MAKE_LEDGER, "DROP TABLE processing_crash")],
            state_operations=[
                migrations.CreateModel(
                    name="Crash",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "day",
                                "crash_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("day", models.DateField()),
                        ("crash_id", models.CharField(max_length=36)),
                        ("product", models.TextField()),
                        ("received_at", models.DateTimeField()),
                        ("state", models.CharField(choices=STATES, max_length=12)),
                        ("attempts", models.PositiveIntegerField(default=0)),
                        ("last_error", models.TextField(default="")),
                        ("processed_at", models.DateTimeField(null=True)),
                    ],
                    options={"db_table": "processing_crash"},
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProcessedCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("crashes", models.IntegerField()),
            ],
        ),
        migrations.RunSQL(COUNT_PROCESSED, "DROP FUNCTION processing_count_processed CASCADE"),
        migrations.CreateModel(
            name="QueuedCrash",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("queue", models.CharField(max_length=16)),
                ("crash_id", models.CharField(max_length=36, unique=True)),
                ("ruleset", models.CharField(default="default", max_length=64)),
                ("queued_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("deferrals", models.PositiveSmallIntegerField(default=0)),
                ("lease", models.UUIDField(null=True)),
            ],
            options={"indexes": [models.Index(fields=["queue", "id"], name="processing_queue_order")]},
        ),
        migrations.CreateModel(
            name="SearchOutbox",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("crash_id", models.CharField(max_length=36)),
                ("forget", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"verbose_name_plural": "search outbox"},
        ),
        migrations.RunSQL(CLEAN_EARLY, migrations.RunSQL.noop),
    ]
