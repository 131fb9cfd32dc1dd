"""The API for scripts: crashes and searches as JSON under ``/api/``."""
