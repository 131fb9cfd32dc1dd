#!/usr/bin/env python3
"""Django's command line for Crash Stats: `./manage.py help` lists every command."""

import os
import sys

from django.core.management import execute_from_command_line

from crashstats.env import BadSetting

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crashstats.settings")
    try:
        execute_from_command_line(sys.argv)
    except BadSetting as exc:
        sys.exit(f"manage.py: {exc}")
