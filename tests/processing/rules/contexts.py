"""Make what a rule gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from processing.rules.base import Context, Rule

CRASH_ID = "0b1ec0de-7a11-4f00-8a5e-1c3f50261122"


def make_context(
    raw_crash: dict[str, Any] | None = None,
    processed_crash: dict[str, Any] | None = None,
    dumps: dict[str, Path] | None = None,
    workdir: Path = Path("workdir-that-nobody-uses"),
) -> Context:
    return Context(CRASH_ID, raw_crash or {}, dumps or {}, processed_crash or {}, workdir)


def act(rule: Rule, ctx: Context) -> Context:
    """Run a rule as the pipeline does; give the context back."""
    if rule.predicate(ctx):
        rule.action(ctx)
    return ctx


def filled_in(
    rule: Rule, raw_crash: dict[str, Any] | None = None, processed_crash: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Run a rule; give the fields that it filled in or changed."""
    before = dict(processed_crash or {})
    after = act(rule, make_context(raw_crash, dict(before))).processed_crash
    return {name: value for name, value in after.items() if name not in before or before[name] != value}


def notes_of(
    rule: Rule, raw_crash: dict[str, Any] | None = None, processed_crash: dict[str, Any] | None = None
) -> list[str]:
    """Run a rule; give its notes."""
    return act(rule, make_context(raw_crash, processed_crash)).notes


def walked(
    functions: list[str] | None = None, *, crashing_thread: Any = 0, **document: Any
) -> dict[str, Any]:
    """Give a processed crash whose stackwalker document has one thread with these functions."""
    frames = [{"frame": index, "function": name} for index, name in enumerate(functions or [])]
    thread = {"frames": frames, "frame_count": len(frames), "thread_name": "Main"}
    return {
        "json_dump": {
            "status": "OK",
            "crash_info": {"crashing_thread": crashing_thread},
            "crashing_thread": thread,
            "threads": [thread],
            **document,
        }
    }
