"""The rule that gives the crash its signature."""

from __future__ import annotations

from processing.rules.base import Context, Rule
from signatures.crashdata import from_processed_crash
from signatures.generator import SignatureGenerator


class SignatureGeneratorRule(Rule):
    """Generate the signature, by which crashes are grouped.

    Reads: the stacks in ``json_dump``, Java stack traces, and the fields that `signatures.crashdata` names.
    Fills in: ``signature`` (str), ``proto_signature`` (str: all frames) when there are frames, ``signature_debug``
    (str: log of how the signature was made, protected), ``signature_explanation`` (object: the same for pages and
    programs, public), ``signature_profile`` (str).
    Notes: what the generator has to say.
    """

    def __init__(self) -> None:
        self._generator = SignatureGenerator()

    def action(self, ctx: Context) -> None:
        result = self._generator.generate(from_processed_crash(ctx.processed_crash))
        ctx.processed_crash["signature"] = result.signature
        ctx.processed_crash["signature_debug"] = "\n".join(result.debug_log)
        ctx.processed_crash["signature_explanation"] = result.explanation.to_json()
        ctx.processed_crash["signature_profile"] = result.profile
        if result.proto_signature:
            ctx.processed_crash["proto_signature"] = result.proto_signature
        else:
            ctx.processed_crash.pop("proto_signature", None)
        for note in result.notes:
            ctx.add_note(note)
