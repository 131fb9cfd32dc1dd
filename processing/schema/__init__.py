"""Every field of raw and processed crashes, described once. See `processing.schema.field.Field`."""
