"""`make test`: get what the tests need, then lint, types, tests with coverage, in that order.

What cannot be had on this machine (a browser, say) is skipped with its reason; with CI=true that is a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from crashstats.standalone import tools
from tests import lint

CHECKOUT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def install_browser() -> None:
    """Install Debian's Chromium when there is no browser and we may; the browser tests say so when there is none."""
    if any(map(shutil.which, BROWSERS)) or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    sys.stdout.write("Installing Chromium for the browser tests ...\n")
    sys.stdout.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        subprocess.run(
            ["apt-get", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )


def main() -> int:
    try:
        tools.install(CHECKOUT / "var" / "tools")
    except tools.ToolsError as exc:
        sys.stdout.write(f"Stackwalker: {exc}\n")
        return 1
    install_browser()
    if lint.main() != 0:
        return 1
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--cov", "--cov-report=term", "--durations=10", *sys.argv[1:]],
        cwd=CHECKOUT,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
