"""How gunicorn serves the web pages and the API."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crashstats.settings")

from django.conf import settings

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_WORKERS
threads = 4
worker_class = "gthread"
preload_app = True  # the workers share the memory of what is loaded before they are made
timeout = 60
graceful_timeout = 4
max_requests = 5000
max_requests_jitter = 500
limit_request_line = 8190
control_socket_disable = True  # gunicorn would place it in a folder that all systems of a user share
proc_name = "crashstats-web"
