"""The two ways to make signatures: as the field's reference does, and as it should be done.

``reference`` agrees with the reference to the letter, also where it is odd. It is for migration and comparison.

``default`` differs from it in these points:

* Functions: C++, Rust, Swift, Objective-C and Go each have rules of their own (``languages``). Qualifiers and hashes
  are removed at word boundaries only, ``operator new`` keeps its name, ``-> T`` and ``[with T = int]`` never become
  the name, ``[clone ...]`` unites with its original, versioned Rust mangling keeps the type of ``<T>::f``.
* Frames: values of a wrong type are ignored and never end the walk. A source file is named without its revision.
* Walk: a frame text that repeats the one kept before it folds, so direct recursion and repeated modules of any kind
  take one place. When only irrelevant frames are there, an address never becomes the signature.
* Threads: when nobody named the crashing thread and there are several, none is blamed.
* Lists: a list without entries matches nothing.
* Java: Kotlin (and any other) line numbers are removed, too.
* Abort messages and shutdown conditions: numbers, addresses and identifiers become ``<n>``, ``<addr>``, ``<id>``.
* Text: letters outside of ASCII are spelt as escapes; a signature that is too long keeps its last frame.
* Notes name the kind of an error, never its text, which can hold an annotation's value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from signatures import rules
from signatures.frames import DefaultFrames, ReferenceFrames
from signatures.rules import Rule
from signatures.walk import StackWalk, is_repeatable_module

ProfileName = Literal["default", "reference"]


@dataclass(frozen=True)
class Profile:
    """What one way to make signatures is composed of; `StackWalk` says what its first three parts mean.

    ``describe_error`` gives the text of a failed rule's note.
    """

    frames: type[ReferenceFrames]
    folds: Callable[[str], bool]
    empty_list_matches: bool
    build_rules: Callable[[StackWalk], tuple[Rule, ...]]
    describe_error: Callable[[Exception], str]


def _reference_rules(stack_walk: StackWalk) -> tuple[Rule, ...]:
    stack_rule = rules.SignatureGenerationRule(stack_walk)
    return (
        stack_rule,
        rules.StackwalkerErrorSignatureRule(),
        rules.BadHardware(),
        rules.OOMSignature(),
        rules.AbortSignature(),
        rules.SignatureShutdownTimeout(),
        rules.SignatureRunWatchDog(stack_rule),
        rules.SignatureIPCChannelError(),
        rules.SignatureIPCMessageName(),
        rules.StackOverflowSignature(),
        rules.HungProcess(),
        rules.SigPrintableCharsOnly(),
        rules.SigFixWhitespace(),
        rules.SigTruncate(),
    )


def _default_rules(stack_walk: StackWalk) -> tuple[Rule, ...]:
    stack_rule = rules.DefaultSignatureGenerationRule(stack_walk)
    return (
        stack_rule,
        rules.StackwalkerErrorSignatureRule(),
        rules.BadHardware(),
        rules.DefaultOOMSignature(),
        rules.DefaultAbortSignature(),
        rules.DefaultSignatureShutdownTimeout(),
        rules.SignatureRunWatchDog(stack_rule),
        rules.SignatureIPCChannelError(),
        rules.SignatureIPCMessageName(),
        rules.StackOverflowSignature(),
        rules.HungProcess(),
        rules.DefaultSigPrintableCharsOnly(),
        rules.SigFixWhitespace(),
        rules.DefaultSigTruncate(),
    )


PROFILES: dict[ProfileName, Profile] = {
    "default": Profile(
        frames=DefaultFrames,
        folds=lambda _text: True,
        empty_list_matches=False,
        build_rules=_default_rules,
        describe_error=lambda error: type(error).__name__,
    ),
    "reference": Profile(
        frames=ReferenceFrames,
        folds=is_repeatable_module,
        empty_list_matches=True,
        build_rules=_reference_rules,
        describe_error=str,
    ),
}
