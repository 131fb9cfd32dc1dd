"""From a bare checkout to a running system or a test run: `python3 bootstrap.py run` (or test, lint).

Makes the environment `.venv`, installs the pinned packages into it, then becomes the program asked for. This file alone
runs before anything is installed and on Pythons that are too old, to say so: only the standard library, and no syntax
newer than Python 3.6.
"""

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys

CHECKOUT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(CHECKOUT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 1000 * 1000 * 1000
#: goal -> which requirements it needs, and the module it becomes
GOALS = {
    "run": ("base", "crashstats.standalone"),
    "test": ("test", "tests.run"),
    "lint": ("test", "tests.lint"),
}


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(text):
    sys.exit("Crash Stats cannot start: " + text)


def find_python():
    """Give a command for Python 3.11 or newer: this one, or another that is installed beside it."""
    if sys.version_info >= OLDEST_PYTHON:
        return sys.executable
    which = getattr(shutil, "which", lambda name: None)  # Python 2 has none
    for minor in (14, 13, 12, 11):
        path = which("python3.%d" % minor)
        if path and subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return path
    return fail(
        "Python 3.11 or newer is needed, %s is %s. Install a newer one, "
        "then `make run PYTHON=python3.12`." % (sys.executable, platform.python_version())
    )


def check_machine():
    if platform.system() not in ("Linux", "Darwin"):
        fail("%s is not supported; Linux and macOS are." % platform.system())
    free = shutil.disk_usage(CHECKOUT).free
    if not os.path.exists(VENV) and free < NEEDED_BYTES:
        fail(
            "%d MB are free on the disk of %s, %d MB are needed. Make room, or clone to another disk."
            % (free // 10**6, CHECKOUT, NEEDED_BYTES // 10**6)
        )
    if not os.access(CHECKOUT, os.W_OK):
        fail("%s cannot be written by you. Clone to a folder of your own." % CHECKOUT)


def check_folder_name():
    """Python itself makes no environment below such a folder, and lists of folders are separated by colons."""
    try:
        CHECKOUT.encode("utf-8")
    except UnicodeError:
        fail("the name of %r is not UTF-8. Rename the folder, or clone to another one." % CHECKOUT)
    if os.pathsep in CHECKOUT:
        fail(
            "%s has a '%s' in its name, which Python's environments cannot have. "
            "Rename the folder, or clone to another one." % (CHECKOUT, os.pathsep)
        )


def make_venv(python):
    """Make `.venv` unless it works; one that was moved or lost its interpreter is made anew."""
    works = os.path.exists(VENV_PYTHON) and (
        subprocess.call(
            [VENV_PYTHON, "-c", "import sys, pip; sys.exit(sys.prefix != %r)" % VENV],
            stderr=subprocess.DEVNULL,
        )
        == 0
    )
    if works:
        return
    say("Making the environment .venv with %s ..." % python)
    code = subprocess.call([python, "-m", "venv", "--clear", VENV], stdout=subprocess.DEVNULL)
    if code != 0:
        fail("%s could not make %s. On Debian and Ubuntu: apt install python3-venv" % (python, VENV))


def install(name):
    """Install requirements/<name>.txt unless exactly that file was installed before."""
    requirements = os.path.join(CHECKOUT, "requirements", name + ".txt")
    stamp = os.path.join(VENV, "installed-%s" % name)
    with open(requirements, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == digest:
                return
    with open(requirements) as file:
        count = sum(1 for line in file if "==" in line)
    say("Installing %d packages from requirements/%s.txt (a minute or two, once) ..." % (count, name))
    process = subprocess.Popen(
        [VENV_PYTHON, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
         "--require-hashes", "--requirement", requirements]
    )  # fmt: skip
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
    if code != 0:
        fail("the packages could not be installed (pip's reason is above). Is there a network?")
    with open(stamp, "w") as file:
        file.write(digest)


def stop(signum, frame):
    sys.exit(128 + signum)


def main(goal):
    signal.signal(signal.SIGTERM, stop)
    python = find_python()
    check_machine()
    check_folder_name()
    make_venv(python)
    requirements, module = GOALS[goal]
    install(requirements)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(CHECKOUT)
    os.execv(VENV_PYTHON, [VENV_PYTHON, "-m", module])


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in GOALS:
        sys.exit("usage: python3 bootstrap.py " + "|".join(sorted(GOALS)))
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
