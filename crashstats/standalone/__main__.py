"""`python -m crashstats.standalone`: what `make run` becomes when everything is installed."""

import sys

from crashstats.env import BadSetting

if __name__ == "__main__":
    try:
        from crashstats.standalone.launcher import main
    except BadSetting as exc:
        sys.exit(f"Crash Stats cannot start: {exc}")
    main()
