"""Settings of every process, read from the environment; README.md lists them.

A part that can be swapped gets one dict with BACKEND and OPTIONS. Nothing else reads the environment.
"""

from __future__ import annotations

from typing import Any

from crashstats import env
from crashstats.collector_settings import *  # noqa: F403  # what the collector has in common with all others
from crashstats.collector_settings import BASE_DIR, ENV, HOST, VAR_DIR
from crashstats.standalone.secrets import read_or_create_secret

DEBUG = ENV.read(
    "DEBUG", env.boolean, default="0", doc="whether errors are shown in the browser; never on in production."
)
SECRET_KEY = ENV.read(
    "SECRET_KEY",
    env.text,
    default="",
    doc="the key that signs sessions and queue messages; made once under VAR_DIR when unset.",
    secret=True,
) or read_or_create_secret(VAR_DIR / "secret_key")
PORT = ENV.read("PORT", env.port, default="8000", doc="the port of the web pages and the API.")
SAMPLES = ENV.read(
    "SAMPLES",
    env.boolean,
    default="1",
    doc="whether the first `make run` sends the bundled sample crash reports.",
)
ALLOWED_HOSTS = ENV.read(
    "ALLOWED_HOSTS",
    env.words,
    default="localhost,127.0.0.1,[::1]",
    doc="the host names the site answers to, separated by commas.",
)
if HOST not in ("127.0.0.1", "0.0.0.0", "::") and HOST not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(HOST)
BEHIND_TLS = ENV.read(
    "BEHIND_TLS",
    env.boolean,
    default="0",
    doc="whether a proxy serves the site by HTTPS; then cookies are sent by HTTPS only.",
)
PROXIES = ENV.read(
    "PROXIES",
    env.whole_number,
    default="0",
    doc="how many proxies before the web pages add an address to X-Forwarded-For: whose log-in attempts are counted.",
)

INSTALLED_APPS = [
    "crashstats.accounts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_q",
    "processing",
    "ingest",
    "crashstats",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "crashstats.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "crashstats.accounts.records.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "crashstats.urls"
WSGI_APPLICATION = "crashstats.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "crashstats" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

LANGUAGE_CODE = "en-us"
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
CSRF_FAILURE_VIEW = "crashstats.errors.csrf_failure"
SESSION_COOKIE_AGE = 24 * 3600  # nobody stays signed in for longer than a day
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

SEARCH = {
    "BACKEND": "processing.search.tantivy.TantivySearch",
    "OPTIONS": {
        "folder": VAR_DIR / "search",
        "scan_seconds": ENV.read(
            "SEARCH_SCAN_SECONDS",
            env.positive_number,
            default="30",
            doc="seconds that one search may take which has to compare a pattern with every stack there is.",
        ),
    },
}
STACKWALKER_TIMEOUT = ENV.read(
    "STACKWALKER_TIMEOUT",
    env.positive_number,
    default="120",
    doc="seconds before the stackwalker is killed.",
)
STACKWALKER_MEMORY_MB = ENV.read(
    "STACKWALKER_MEMORY_MB",
    env.positive_number,
    default="4096",
    doc="megabytes of address space that one stackwalker may take.",
)
STACKWALKER = {
    "path": ENV.read(
        "STACKWALKER_PATH",
        env.folder,
        default=str(VAR_DIR / "tools" / "minidump-stackwalk"),
        doc="the minidump-stackwalk program; unset: the one that `make run` installs.",
    ),
    "timeout_seconds": STACKWALKER_TIMEOUT,
    "memory_bytes": STACKWALKER_MEMORY_MB * 1024 * 1024,
}
SYMBOLS = {
    "folders": [
        BASE_DIR / "samples" / "symbols",
        VAR_DIR / "symbols",
    ],
}
WEB_WORKERS = ENV.read(
    "WEB_WORKERS",
    env.positive_number,
    default="2",
    doc="how many processes serve pages and API, four threads each.",
)
WORKERS = ENV.read(
    "WORKERS", env.positive_number, default="2", doc="how many crashes are processed at the same time."
)
Q_CLUSTER = {
    "name": "crashstats",
    "broker_class": "processing.broker.CrashBroker",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "timeout": STACKWALKER_TIMEOUT * 4 + 60,
    "retry": STACKWALKER_TIMEOUT * 4 + 120,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,
    "label": "Work queue",
    "recycle": 5000,
    "max_rss": 2_000_000,
}
QUEUE = {
    "lease_seconds": ENV.read(
        "QUEUE_LEASE",
        env.positive_number,
        default="45",
        doc="seconds after which the crash of a worker that was killed goes to another; live workers renew.",
    ),
    "max_attempts": ENV.read(
        "QUEUE_ATTEMPTS",
        env.positive_number,
        default="3",
        doc="how many workers may die or fail over a crash before it is marked failed.",
    ),
    "retry_seconds": 10,
    "rest_seconds": 2,
}
PROCESSOR: dict[str, Any] = {
    "folder": VAR_DIR / "work",
    "max_dump_bytes": 1024 * 1024 * 1024,
    "leftover_seconds": Q_CLUSTER["retry"],  # no crash takes longer
}
