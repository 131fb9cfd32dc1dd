"""What a rule gets, and what a rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Context:
    """One crash on its way through the pipeline.

    ``raw_crash`` annotations and collector metadata; rules may clean it, it is not saved again · ``dumps`` dump name to
    the path of a private copy of the file · ``processed_crash`` what the rules fill in · ``workdir`` an empty folder of this crash alone,
    removed afterwards · ``notes`` public texts: no annotation values, paths or exception texts.
    """

    crash_id: str
    raw_crash: dict[str, Any]
    dumps: Mapping[str, Path]
    processed_crash: dict[str, Any]
    workdir: Path
    notes: list[str] = field(default_factory=list)

    def add_note(self, note: str) -> None:
        self.notes.append(note)


class Rule(ABC):
    """One step of a ruleset. Made once per process and shared by threads: it keeps nothing about a crash."""

    @property
    def name(self) -> str:
        return type(self).__name__

    def predicate(self, ctx: Context) -> bool:
        """Tell whether the rule applies to this crash."""
        return True

    @abstractmethod
    def action(self, ctx: Context) -> None:
        """Do the rule's work on the context."""
