"""Settings of every process, read from the environment; README.md lists them.

A part that can be swapped gets one dict with BACKEND and OPTIONS. Nothing else reads the environment.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from crashstats import env
from crashstats.standalone import postgres
from crashstats.standalone.secrets import read_or_create_secret
from processing.storage import url as storage_url

ENV = env.Environment(os.environ)
BASE_DIR = Path(__file__).resolve().parent.parent

VAR_DIR = ENV.read(
    "VAR_DIR",
    env.folder,
    default=str(BASE_DIR / "var"),
    doc="the folder for everything the system writes: database, crashes, index, symbols, logs.",
)
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
HOST = ENV.read("HOST", env.text, default="127.0.0.1", doc="the address that web and collector listen on.")
PORT = ENV.read("PORT", env.port, default="8000", doc="the port of the web pages and the API.")
COLLECTOR_PORT = ENV.read("COLLECTOR_PORT", env.port, default="8001", doc="the port of the collector.")
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

DATABASE_URL = ENV.read(
    "DATABASE_URL",
    env.text,
    default="",
    doc="postgresql://user:password@host:port/name of a PostgreSQL 15 or newer; unset: the embedded one under VAR_DIR.",
    secret=True,
)
DATABASE_POOL = ENV.read(
    "DATABASE_POOL",
    env.whole_number,
    default="0",
    doc="the most connections one process pools for its threads; 0 keeps one open connection per thread instead.",
)
DATABASES = {"default": postgres.django_database(DATABASE_URL, VAR_DIR, pool_size=DATABASE_POOL)}
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
TIME_ZONE = "UTC"
USE_TZ = True
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

CRASH_STORAGE = ENV.read(
    "CRASH_STORAGE_URL",
    storage_url.parse,
    default=(VAR_DIR / "crashes").as_uri(),
    doc="where crashes are kept: file:///folder, s3://bucket?endpoint_url=...&region_name=... or gs://bucket; "
    "credentials come from where boto3 and Google's library look for them.",
    secret=True,
)
COLLECTOR: dict[str, Any] = {
    "folder": VAR_DIR / "collector",
    "workers": ENV.read(
        "COLLECTOR_WORKERS", env.whole_number, default="2", doc="how many processes the collector has."
    ),
    "threads": ENV.read(
        "COLLECTOR_THREADS",
        env.whole_number,
        default="32",
        doc="how many connections one process of the collector serves at the same time.",
    ),
    "requests": ENV.read(
        "COLLECTOR_REQUESTS",
        env.whole_number,
        default="28",
        doc="how many submissions one process of the collector takes at the same time; further ones are answered 503. "
        "Fewer than COLLECTOR_THREADS, so that a thread is left to say so.",
    ),
    "wire_bytes": ENV.read(
        "COLLECTOR_IN_FLIGHT_MB",
        env.whole_number,
        default="256",
        doc="megabytes of submissions that one process of the collector takes at the same time; more is answered 503.",
    )
    * 1024
    * 1024,
    "client_grace_seconds": ENV.read(
        "COLLECTOR_CLIENT_GRACE",
        env.whole_number,
        default="20",
        doc="seconds that any client has for its request, before COLLECTOR_CLIENT_RATE counts.",
    ),
    "client_rate": ENV.read(
        "COLLECTOR_CLIENT_RATE",
        env.whole_number,
        default="4096",
        doc="bytes per second that a client has to send at least, on average, beyond COLLECTOR_CLIENT_GRACE.",
    ),
    "limits": {
        "wire_bytes": ENV.read(
            "COLLECTOR_REQUEST_BYTES",
            env.whole_number,
            default="26214400",
            doc="the largest submission as it comes over the wire, in bytes; a larger one is answered 413.",
        ),
        "body_bytes": ENV.read(
            "COLLECTOR_BODY_BYTES",
            env.whole_number,
            default="209715200",
            doc="the largest submission after decompression, in bytes; a larger one is answered 413.",
        ),
        "dump_bytes": ENV.read(
            "COLLECTOR_DUMP_BYTES",
            env.whole_number,
            default="209715200",
            doc="the largest single dump, in bytes; a larger one is answered 413.",
        ),
        "annotation_bytes": ENV.read(
            "COLLECTOR_ANNOTATION_BYTES",
            env.whole_number,
            default="20971520",
            doc="the largest single annotation, in bytes; a larger one is answered 413.",
        ),
        "all_annotations_bytes": ENV.read(
            "COLLECTOR_ALL_ANNOTATIONS_BYTES",
            env.whole_number,
            default="26214400",
            doc="the most that all annotations of a submission may be together, in bytes; more is answered 413.",
        ),
        "parts": ENV.read(
            "COLLECTOR_PARTS",
            env.whole_number,
            default="2000",
            doc="the most annotations and dumps of one submission; more is answered 413.",
        ),
        "ratio": ENV.read(
            "COLLECTOR_COMPRESSION_RATIO",
            env.whole_number,
            default="150",
            doc="how many times larger a submission may become by decompression, from 10 MB on; more is answered 413.",
        ),
    },
    "save_seconds": ENV.read(
        "COLLECTOR_SAVE_SECONDS",
        env.whole_number,
        default="3",
        doc="seconds for which saving a crash is tried again before it goes to the spool.",
    ),
    "publish_seconds": ENV.read(
        "COLLECTOR_PUBLISH_SECONDS",
        env.whole_number,
        default="2",
        doc="seconds that the database may take for one step of queueing a crash, before the crash is queued later.",
    ),
    "connections": ENV.read(
        "COLLECTOR_CONNECTIONS",
        env.whole_number,
        default="4",
        doc="the most connections to the database that one process of the collector opens.",
    ),
    "spool_bytes": ENV.read(
        "COLLECTOR_SPOOL_MB",
        env.whole_number,
        default="2048",
        doc="megabytes of crashes that may lie in VAR_DIR/collector/spool while the crash storage is down.",
    )
    * 1024
    * 1024,
    "deduplicate_seconds": ENV.read(
        "COLLECTOR_DEDUPLICATE_SECONDS",
        env.whole_number,
        default="300",
        doc="seconds for which exactly the same report from the same client gets its first crash id again; 0: never.",
    ),
    "throttle_rules": ENV.read(
        "THROTTLE_RULES",
        env.text,
        default="accept_all",
        doc="the rules that decide which reports are kept: accept_all, mozilla, or the path of a file.",
    ),
    "bearer_token": ENV.read(
        "COLLECTOR_BEARER_TOKEN",
        env.text,
        default="",
        doc="the token of senders that may choose crash ids (`Authorization: Bearer ...`); unset: nobody may.",
        secret=True,
    ),
    "statsd_host": ENV.read(
        "STATSD_HOST",
        env.text,
        default="",
        doc="the host that takes statsd metrics over UDP; unset: none is sent.",
    ),
    "statsd_port": ENV.read("STATSD_PORT", env.port, default="8125", doc="the port of STATSD_HOST."),
    "host_tag": ENV.read(
        "HOST_TAG", env.text, default="", doc="the host name that metrics carry; unset: this machine's."
    )
    or socket.gethostname(),
}
SEARCH = {
    "BACKEND": "processing.search.tantivy.TantivySearch",
    "OPTIONS": {"folder": VAR_DIR / "search"},
}
STACKWALKER_TIMEOUT = ENV.read(
    "STACKWALKER_TIMEOUT",
    env.whole_number,
    default="120",
    doc="seconds before the stackwalker is killed.",
)
STACKWALKER_MEMORY_MB = ENV.read(
    "STACKWALKER_MEMORY_MB",
    env.whole_number,
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
    env.whole_number,
    default="2",
    doc="how many processes serve pages and API, four threads each.",
)
WORKERS = ENV.read(
    "WORKERS", env.whole_number, default="2", doc="how many crashes are processed at the same time."
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
        env.whole_number,
        default="45",
        doc="seconds after which the crash of a worker that was killed goes to another; live workers renew.",
    ),
    "max_attempts": ENV.read(
        "QUEUE_ATTEMPTS",
        env.whole_number,
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
VERSION_FILE = BASE_DIR / "version.json"

LOG_LEVEL = ENV.read(
    "LOG_LEVEL",
    env.choice("DEBUG", "INFO", "WARNING", "ERROR"),
    default="INFO",
    doc="the least severity that is logged.",
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {"django-q": {"level": "WARNING"}},  # it has two lines for every task
}
