"""Generate signatures: run the signature rules in order over one crash after another."""

from collections.abc import Callable, Mapping
from typing import Any

from signatures import explain
from signatures.explain import Event, Explanation
from signatures.profiles import PROFILES, ProfileName
from signatures.rules import Draft
from signatures.siglists import SignatureLists
from signatures.walk import SEPARATOR, StackWalk

OnError = Callable[[str, Exception], None]


class Result:
    """What was generated for one crash.

    ``signature`` is at most 255 characters of printable ASCII. ``notes`` are sentences for operators, each beginning
    with the name of its rule. ``normalized_frames`` are the frame texts of the thread that was used (at most 40,
    empty ones too); there are none for Java. ``profile`` names the profile that was used.
    """

    __slots__ = ("_conditions", "_events", "normalized_frames", "notes", "profile", "signature")

    def __init__(self, profile: ProfileName, draft: Draft, conditions: dict[str, str]) -> None:
        self.signature: str = draft.signature
        self.notes: list[str] = draft.notes
        self.normalized_frames: list[str] = draft.normalized_frames
        self.profile: ProfileName = profile
        self._events: list[Event] = draft.events
        self._conditions = conditions

    @property
    def proto_signature(self) -> str:
        """All frame texts, joined; '' without native frames. Neither cleaned nor cut."""
        return SEPARATOR.join(self.normalized_frames)

    @property
    def explanation(self) -> Explanation:
        """How the signature came to be, frame by frame and rule by rule."""
        return explain.explain(self.profile, self._events, self._conditions)

    @property
    def debug_log(self) -> list[str]:
        """The step-by-step log that is stored with a processed crash as ``signature_debug``."""
        return explain.debug_log(self._events)

    def to_json(self, with_explanation: bool = False) -> dict[str, Any]:
        """Give the result as JSON values."""
        result: dict[str, Any] = {
            "signature": self.signature,
            "proto_signature": self.proto_signature,
            "notes": self.notes,
        }
        if with_explanation:
            result["explanation"] = self.explanation.to_json()
        return result


class SignatureGenerator:
    """Generates signatures with one set of lists and one profile; create it once and use it for many crashes.

    It can be shared by threads. What it remembers between crashes is bounded.
    """

    def __init__(
        self,
        lists: SignatureLists | None = None,
        profile: ProfileName = "default",
        on_error: OnError | None = None,
    ) -> None:
        """Compile the lists.

        Args: ``lists`` are by default those that come with this package; ``profile`` is a name from
        ``profiles.PROFILES``; ``on_error`` is told of each rule that failed: its name and the exception.
        Raises: InvalidSignatureList when the lists do not work; ValueError for an unknown profile.
        """
        if profile not in PROFILES:
            raise ValueError(f"profile={profile!r}: unknown. Use one of {', '.join(PROFILES)}")
        chosen = PROFILES[profile]
        self.profile = profile
        self.lists = SignatureLists.load() if lists is None else lists
        stack_walk = StackWalk(self.lists, chosen.frames, chosen.folds, chosen.empty_list_matches)
        self._rules = chosen.build_rules(stack_walk)
        self._conditions = {rule.name: rule.condition for rule in self._rules}
        self._describe_error = chosen.describe_error
        self._on_error = on_error

    def generate(self, crash_data: object) -> Result:
        """Generate the signature of one crash; see ``crashdata`` for what is read from that mapping.

        Never raises, whatever the crash data holds: a rule that fails leaves a note, and the rules after it still
        run. The crash data is not changed.
        """
        draft = Draft()
        if not isinstance(crash_data, Mapping):
            draft.notes.append(
                f"SignatureGenerator: crash data is a {type(crash_data).__name__}, not an object"
            )
            crash_data = {}
        for rule in self._rules:
            before = draft.signature
            try:
                if why := rule.why(crash_data, draft):
                    rule.apply(crash_data, draft)
                    draft.events.append(explain.Fired(rule.name, why, before, draft.signature))
            except Exception as exc:
                self._fail(draft, rule.name, exc)
        return Result(self.profile, draft, self._conditions)

    def _fail(self, draft: Draft, rule_name: str, error: Exception) -> None:
        description = self._describe_error(error)
        draft.notes.append(f"{rule_name}: Rule failed: {description}")
        draft.events.append(explain.Failed(rule_name, description))
        if self._on_error:
            self._on_error(rule_name, error)
