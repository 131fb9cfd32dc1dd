"""Where symbol files come from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from processing.symbols import key as keys


class FolderSupplier:
    """Symbol files in folders of this machine, laid out by key; the first folder that has a file wins.

    The stackwalker is given the folders themselves. It joins names from the dump to them, so a hostile dump can make it
    open ``<folder>/../<hex digits>/…sym``; that can end in "corrupt", and copies nothing of the file into the output
    that is not symbol records.
    """

    def __init__(self, folders: Iterable[Path | str]) -> None:
        self._folders = tuple(Path(folder) for folder in folders)

    def folders(self) -> tuple[Path, ...]:
        """Give the folders that exist now, in order: one may come with the first upload."""
        return tuple(folder for folder in self._folders if folder.is_dir())

    def find(self, debug_file: str, debug_id: str) -> Path | None:
        """Give a module's symbol file, None when no folder has it or no file could have such a name."""
        try:
            key = keys.symbol_key(debug_file, debug_id)
        except keys.BadKey:
            return None
        return next((path for folder in self.folders() if (path := keys.locate(folder, key))), None)
