import sys
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from processing import crashid
from processing.errors import CrashNotFound, StorageError
from processing.storage import get_storage
from signatures.compare import FORMATS, Comparison, compare, different_only
from signatures.generator import SignatureGenerator
from signatures.profiles import PROFILES
from signatures.siglists import InvalidSignatureList, SignatureLists


class Command(BaseCommand):
    help = (
        "Compare the signatures of processed crashes with the ones they would get now. Takes crash ids or addresses "
        "of report pages as arguments, or one per line on stdin. Nothing is saved."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crash_ids", nargs="*", metavar="CRASH_ID")
        parser.add_argument("--format", choices=sorted(FORMATS), default="text")
        parser.add_argument(
            "--different-only", action="store_true", help="leave out crashes that keep theirs"
        )
        parser.add_argument("--verbose", action="store_true", help="add how each signature came to be")
        parser.add_argument("--signature-list-dir", metavar="DIR", help="use the lists in DIR")
        parser.add_argument("--profile", choices=sorted(PROFILES), default="default")

    def handle(self, *, crash_ids: list[str], **options: Any) -> None:
        if not crash_ids and sys.stdin.isatty():
            self.print_help("manage.py", "signature")
            return
        try:
            valid = [_parse(text) for text in crash_ids or sys.stdin if text.strip()]
            lists = SignatureLists.load(options["signature_list_dir"])
            generator = SignatureGenerator(lists, options["profile"])
        except (crashid.InvalidCrashId, InvalidSignatureList) as exc:
            raise CommandError(f"{exc}; nothing was compared") from exc
        comparisons = self._compare(valid, generator)
        if options["different_only"]:
            comparisons = different_only(comparisons)
        FORMATS[options["format"]](comparisons, self.stdout, options["verbose"])

    def _compare(self, crash_ids: Iterable[str], generator: SignatureGenerator) -> Iterator[Comparison]:
        """Compare crash after crash; one that has no processed crash is named on stderr and left out."""
        storage = get_storage()
        for crash_id in crash_ids:
            try:
                processed_crash = storage.get_processed_crash(crash_id)
            except CrashNotFound:
                self.stderr.write(f"{crash_id}: there is no processed crash")
            except StorageError as exc:
                raise CommandError(f"{crash_id}: {exc}") from exc
            else:
                yield compare(crash_id, processed_crash, generator)


def _parse(text: str) -> str:
    """Take the crash id out of an id, with or without ``bp-``, or out of the address of a report page."""
    return crashid.parse(urlsplit(text.strip()).path.rstrip("/").rpartition("/")[2])
