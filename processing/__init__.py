"""From a saved crash report to a processed, searchable crash: queue, pipeline, stack walking, storage, search."""
