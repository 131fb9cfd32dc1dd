"""The collector for gunicorn. It needs the settings and no Django apps: no search, no pages, no workers are loaded."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crashstats.collector_settings")

from ingest.build import build_application

application = build_application()
