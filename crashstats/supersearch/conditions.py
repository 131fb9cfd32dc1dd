"""All values of one field become one condition; all values of the date become its two bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crashstats.supersearch.values import BadParameter, Term
from processing.schema.field import Field, SearchKind
from processing.search.query import RANGE_OPERATORS, AllOf, AnyOf, Condition, Filter, Operator

DEFAULT_DAYS = 7
MAX_DAYS = 365
#: More conditions with an operator of their own on one field are refused.
MAX_CONDITIONS = 100

_LOWER = (Operator.GREATER, Operator.GREATER_OR_EQUAL)
_UPPER = (Operator.LESS, Operator.LESS_OR_EQUAL)


@dataclass(frozen=True)
class DateRange:
    """From when to when to search; each bound counts itself unless its operator says otherwise."""

    since: datetime
    until: datetime
    since_operator: Operator = Operator.GREATER_OR_EQUAL
    until_operator: Operator = Operator.LESS_OR_EQUAL

    def filters(self, field: Field) -> tuple[Filter, Filter]:
        """Give the two conditions on the date field."""
        return (
            Filter(field, self.since_operator, (self.since,)),
            Filter(field, self.until_operator, (self.until,)),
        )


def combine(field: Field, terms: Iterable[Term]) -> tuple[Condition, ...]:
    """Give what all values of one field mean together; the conditions are combined with AND.

    Positive ones are folded from the left, those with an operator first, then the bare values together: a range is
    joined with AND, everything else with OR. Negated ones must hold, all of them.
    """
    terms = list(terms)
    bare = [term for term in terms if term.operator is Operator.MATCHES]
    explicit = [term for term in terms if term.operator is not Operator.MATCHES]
    if len(explicit) > MAX_CONDITIONS:
        raise BadParameter(
            field.public_name,
            f"{len(explicit)} conditions on one field; at most {MAX_CONDITIONS} can be combined",
        )
    if field.search is SearchKind.DATETIME and bare:
        reason = f"{field.public_name} must have a prefix operator"
        raise BadParameter(field.public_name, reason, reason)
    positive = [_filter(field, [term]) for term in explicit if not term.negated]
    negated = [_filter(field, [term]) for term in explicit if term.negated]
    for group, sign in ((positive, False), (negated, True)):
        if same_sign := [term for term in bare if term.negated is sign]:
            group.append(_filter(field, same_sign))
    return (*negated, _fold(positive)) if positive else tuple(negated)


def date_range(terms: Iterable[Term], now: datetime) -> DateRange:
    """Give the tightest bounds among the date's values, completed: up to now, for seven days.

    Raises: BadParameter for a value without operator, a negated one, and more than 365 days.
    """
    bounds = [term for term in terms if term.operator is not Operator.IS_NULL]
    for term in bounds:
        if term.operator not in RANGE_OPERATORS:
            raise BadParameter("date", "date must have a prefix operator", "date must have a prefix operator")
        if term.negated:
            raise BadParameter("date", "a bound cannot be negated with !; use the opposite operator")
    lower = [(_date(term), term.operator is Operator.GREATER) for term in bounds if term.operator in _LOWER]
    upper = [(_date(term), term.operator is not Operator.LESS) for term in bounds if term.operator in _UPPER]
    until, until_included = min(upper, default=(now, True))
    since, since_excluded = max(lower, default=(until - timedelta(days=DEFAULT_DAYS), False))
    if until - since > timedelta(days=MAX_DAYS):
        raise BadParameter("date", "too wide", f"Date range is bigger than {MAX_DAYS} days")
    return DateRange(
        since,
        until,
        Operator.GREATER if since_excluded else Operator.GREATER_OR_EQUAL,
        Operator.LESS_OR_EQUAL if until_included else Operator.LESS,
    )


def _date(term: Term) -> datetime:
    assert isinstance(term.value, datetime)
    return term.value


def _filter(field: Field, terms: list[Term]) -> Filter:
    values = tuple(term.value for term in terms if term.value is not None)
    return Filter(field, terms[0].operator, values, terms[0].negated)


def _fold(conditions: list[Filter]) -> Condition:
    folded: Condition = conditions[0]
    for condition in conditions[1:]:
        if condition.operator in RANGE_OPERATORS:
            before = folded.conditions if isinstance(folded, AllOf) else (folded,)
            folded = AllOf((*before, condition))
        else:
            before = folded.conditions if isinstance(folded, AnyOf) else (folded,)
            folded = AnyOf((*before, condition))
    return folded
