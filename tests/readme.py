"""Write README.md's table of settings anew: `python -m tests.readme`. `tests/test_docs.py` compares it."""

from __future__ import annotations

import re

from crashstats.settings import BASE_DIR, ENV

README = BASE_DIR / "README.md"
MARKED = re.compile(r"(<!-- settings: [^>]* -->\n)(.*?)(\n?<!-- end of settings -->)", re.DOTALL)


def settings_table() -> str:
    """Give the table as README.md must have it: every setting with its default and its one-sentence explanation."""
    rows = ["| variable | default | it is |", "|---|---|---|"]
    for setting in sorted(ENV.settings.values(), key=lambda setting: setting.name):
        shown = setting.default.replace(str(BASE_DIR), ".")
        rows.append(f"| `{setting.name}` | {f'`{shown}`' if shown else ''} | {setting.doc} |")
    return "\n".join(rows)


def main() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(
        MARKED.sub(rf"\g<1>{settings_table()}\n<!-- end of settings -->", text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
