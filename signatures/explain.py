"""Say how a signature came to be: for each frame and for each rule what happened, and why.

Generating a signature only notes what it decides (``Draft.events``); the sentences and look-ups here are made when
somebody asks, so an explanation is always at hand and costs nothing until then. Names, frame texts and signatures are
cut to 1,000 characters here, because a crash may hold longer ones.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from signatures.siglists import Entry
from signatures.walk import EMPTY, END, IRRELEVANT, PREFIX, StackWalk, Walk

_SHOWN_CHARACTERS = 1000


class Walked(NamedTuple):
    """A rule walked over a stack."""

    rule: str
    tool: str
    stack_walk: StackWalk
    walk: Walk | None


class Fired(NamedTuple):
    """A rule acted: why, and the signature before and after."""

    rule: str
    why: str
    before: str
    after: str


class Failed(NamedTuple):
    """A rule raised an error; the signature stayed as it was."""

    rule: str
    error: str


Event = Walked | Fired | Failed


class FrameExplanation(NamedTuple):
    """One frame: the raw name, the rule that normalised it, its text, the decision, the entry that decided.

    ``decision`` is one of: before sentinel, empty, irrelevant, duplicate, prefix, end, beyond end. ``entry`` is the
    list entry behind it, ``sentinel`` the one at which the walk started, each None where there is none.
    """

    raw: str
    rule: str
    text: str
    decision: str
    entry: Entry | None
    sentinel: Entry | None


class RuleExplanation(NamedTuple):
    """One signature rule: whether it fired and why, and what it made of the signature."""

    rule: str
    fired: bool
    why: str
    before: str | None
    after: str | None


class Explanation(NamedTuple):
    """The whole way to a signature; frames are those of the walk that came last."""

    profile: str
    frames: list[FrameExplanation]
    rules: list[RuleExplanation]

    def to_json(self) -> dict[str, Any]:
        """Give the explanation as JSON values; what does not apply is left out."""
        return {
            "profile": self.profile,
            "frames": [_frame_to_json(frame) for frame in self.frames],
            "rules": [_without_none(rule._asdict()) for rule in self.rules],
        }


def explain(profile: str, events: Sequence[Event], conditions: dict[str, str]) -> Explanation:
    """Make the explanation from what was noted.

    Args: ``conditions`` maps the name of every rule, in order, to the condition under which it applies.
    """
    walks = [event for event in events if isinstance(event, Walked) and event.walk]
    return Explanation(
        profile,
        list(_explain_frames(walks[-1])) if walks else [],
        list(_explain_rules(events, conditions)),
    )


def debug_log(events: Sequence[Event]) -> list[str]:
    """Write the step-by-step log that the field's tools show, one ``Rule: text`` each."""
    lines: list[str] = []
    for event in events:
        match event:
            case Walked():
                lines += (f"{event.rule}: {line}" for line in _log_walk(event))
            case Fired() if event.before != event.after:
                before, after = _cut(event.before), _cut(event.after)
                lines.append(f'{event.rule}: change signature: "{before}" -> "{after}"')
            case Failed():
                lines.append(f"{event.rule}: failed: {event.error}")
    return lines


def _log_walk(walked: Walked) -> Iterator[str]:
    yield f"using {walked.tool}"
    if not walked.walk:
        return
    source = walked.stack_walk.lists.source
    yield "using included signature lists" if source is None else f"using signature lists from {source}"
    if walked.walk.start >= 0:
        sentinel = _cut(walked.walk.texts[walked.walk.start])
        yield f'sentinel; starting at "{sentinel}" index {walked.walk.start}'
    for known, decision in zip(walked.walk.frames, walked.walk.decisions, strict=True):
        if decision in _LOGGED_DECISIONS:
            yield f'{_LOGGED_DECISIONS[decision]}: "{_cut(known.text)}"'


_LOGGED_DECISIONS = {
    EMPTY: "empty string; ignoring",
    IRRELEVANT: "irrelevant; ignoring",
    PREFIX: "prefix; continue iterating",
    END: "not a prefix; stop",
}


def _explain_frames(walked: Walked) -> Iterator[FrameExplanation]:
    assert walked.walk is not None
    for index, (known, decision) in enumerate(zip(walked.walk.frames, walked.walk.decisions, strict=True)):
        text = known.text
        yield FrameExplanation(
            _cut(known.frame.raw),
            known.frame.rule,
            _cut(text),
            decision,
            walked.stack_walk.deciding_entry(text, decision),
            walked.stack_walk.sentinel_entry(text) if index == walked.walk.start else None,
        )


def _explain_rules(events: Sequence[Event], conditions: dict[str, str]) -> Iterator[RuleExplanation]:
    happened = {event.rule: event for event in events if isinstance(event, Fired | Failed)}
    for rule, condition in conditions.items():
        match happened.get(rule):
            case Fired(_, why, before, after):
                yield RuleExplanation(rule, True, why, _cut(before), _cut(after))
            case Failed(_, error):
                yield RuleExplanation(rule, False, f"failed: {error}", None, None)
            case _:
                yield RuleExplanation(rule, False, f"applies when {condition}", None, None)


def _frame_to_json(frame: FrameExplanation) -> dict[str, Any]:
    values = frame._asdict()
    for key in ("entry", "sentinel"):
        if entry := values[key]:
            values[key] = entry._asdict()
    return _without_none(values)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
