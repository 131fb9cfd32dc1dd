"""Settings of a test run: the real ones, below a temporary VAR_DIR of this run alone."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VAR = Path(tempfile.mkdtemp(prefix="crashstats-test-")).resolve()
atexit.register(shutil.rmtree, VAR, ignore_errors=True)

TOOLS = Path(os.environ.get("VAR_DIR", CHECKOUT / "var")).resolve() / "tools"
os.environ.setdefault("STACKWALKER_PATH", str(TOOLS / "minidump-stackwalk"))
(VAR / "static").mkdir()  # otherwise whitenoise warns, and warnings are errors
os.environ["VAR_DIR"] = str(VAR)
for name in ("DATABASE_URL", "DATABASE_POOL", "DEBUG", "HOST", "PORT", "COLLECTOR_PORT"):
    os.environ.pop(name, None)

from crashstats.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # cheap: no test attacks a password
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
