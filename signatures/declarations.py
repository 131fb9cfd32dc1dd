"""A short cut for the names that most functions have: return type, scopes, template arguments, parameters.

One expression recognises such a declaration, three levels of brackets deep, and what remains of it is the same in every
profile. All other names go the long way (``reference``, ``languages``), which gives the same answer, only later.
"""

import re

_PLAIN = r"[^()\[\]{}<>`'-]"
_NAME = r"[\w:~.@]"
_PARENTHESES = rf"\({_PLAIN}*+\)"
_INNERMOST = rf"<{_PLAIN}*+>"
_INNER = rf"<(?:{_PLAIN}++|{_INNERMOST}|{_PARENTHESES})*+>"
_ARGUMENTS = rf"<(?:{_PLAIN}++|{_INNER}|{_PARENTHESES})*+>"
_PARAMETERS = rf"\((?!anonymous namespace\))(?:{_PLAIN}++|{_ARGUMENTS}|{_PARENTHESES})*+\)"
_DECLARATION = re.compile(
    rf"(?:(?:[\w:&*]++|{_ARGUMENTS})++ )*+({_NAME}++(?:{_NAME}++|{_ARGUMENTS})*+)(?:{_PARAMETERS})?"
)
_TEMPLATE = re.compile(_ARGUMENTS)
_WITH_RULES_OF_THEIR_OWN = ("IPC::ParamTraits", " as ", " in ", "<name omitted>")


def name_of(declaration: str) -> str | None:
    """Give the name in a plain declaration, with ``<T>`` for template arguments; None for all that is not plain.

    >>> name_of("static class atlas::Ptr<int> atlas::Grid<std::pair<int, char> >::At(int, char const*)")
    'atlas::Grid<T>::At'
    """
    found = _DECLARATION.fullmatch(declaration)
    if not found or "operator" in declaration:
        return None
    name = found[1]
    if any(text in name for text in _WITH_RULES_OF_THEIR_OWN):
        return None
    return _TEMPLATE.sub("<T>", name) if "<" in name else name
