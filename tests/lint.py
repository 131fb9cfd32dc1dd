"""`make lint`: lint, format, types. Prints what is wrong; the exit code is 1 when anything is."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COMMANDS = (
    ("ruff", "check", "--quiet", "."),
    ("ruff", "format", "--check", "--quiet", "."),
    ("mypy", "--no-error-summary"),
)


def main() -> int:
    worst = 0
    for module, *arguments in COMMANDS:
        sys.stdout.write(f"{module} {' '.join(arguments)}\n")
        sys.stdout.flush()
        worst |= subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=CHECKOUT, check=False
        ).returncode
    return min(worst, 1)


if __name__ == "__main__":
    sys.exit(main())
