"""Regular expressions that can take for ever over a hostile name: found before they are used, because nothing can stop them after.

Python's `re` backtracks. Where a part that repeats without end lies within another that does, and nothing between two rounds tells them
apart, a name that almost fits is tried in exponentially many ways (Davis et al. 2018, "The impact of regular expression denial of service
in practice", ESEC/FSE). This finds the two forms that people write, repeats within repeats and alternatives that begin alike; it
is no proof that others are quick, and long names are kept from them besides.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Letters: TypeAlias = frozenset[int]

MANY = 16
"""A repeat of more rounds than this counts as one without end."""
ALPHABET = frozenset(range(0x180))
"""Characters that stand for all: ASCII and the Latin letters beyond it."""
REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda letter: letter.isalnum() or letter == "_",
}


def ambiguity_of(pattern: str) -> str | None:
    r"""What makes `pattern`, a valid expression, take exponentially many steps; None when nothing known does.

    >>> ambiguity_of("(a+)+b"), ambiguity_of(r"^(?:[^/]+/)*(S[0-9]+)_")
    ('a repeat within a repeat', None)
    """
    parser: Any = importlib.import_module("re._parser")  # the parser of `re` itself, without a public name since sre_parse went
    return _found(list(parser.parse(pattern)))


def _found(sequence: list[Any]) -> str | None:
    for operation, argument in sequence:
        if str(operation) in REPEATS and argument[1] > MANY:
            body = list(argument[2])
            if _repeats_ambiguously(body):
                return "a repeat within a repeat"
            if _begins_alike(body):
                return "alternatives within a repeat that begin alike"
        for inner in _parts(str(operation), argument):
            if reason := _found(inner):
                return reason
    return None


def _parts(operation: str, argument: Any) -> list[list[Any]]:
    """The sequences within one element."""
    if operation in (*REPEATS, "POSSESSIVE_REPEAT"):
        return [list(argument[2])]
    if operation == "SUBPATTERN":
        return [list(argument[-1])]
    if operation == "BRANCH":
        return [list(branch) for branch in argument[1]]
    if operation in {"ASSERT", "ASSERT_NOT"}:
        return [list(argument[1])]
    if operation == "GROUPREF_EXISTS":
        return [list(branch) for branch in argument[1:] if branch is not None]
    return []


def _repeats_ambiguously(body: list[Any]) -> bool:
    """Whether a repeat in the body of another has no neighbour in every round that it cannot itself match."""
    flat = _flat(body)
    for place, (operation, argument) in enumerate(flat):
        if operation in REPEATS and argument[0] != argument[1] and argument[1] > MANY:
            own = _letters(_flat(list(argument[2])))
            neighbours = [flat[other] for other in (place - 1, place + 1) if 0 <= other < len(flat)]
            if not any(_is_one(neighbour) and not (_letters([neighbour]) & own) for neighbour in neighbours):
                return True
        elif operation == "BRANCH" and any(_repeats_ambiguously(list(branch)) for branch in argument[1]):
            return True
    return False


def _begins_alike(body: list[Any]) -> bool:
    for operation, argument in _flat(body):
        if operation == "BRANCH":
            seen: set[int] = set()
            for branch in argument[1]:
                first = _letters(_flat(list(branch))[:1])
                if seen & first:
                    return True
                seen |= first
    return False


def _flat(sequence: list[Any]) -> list[tuple[str, Any]]:
    """The elements, groups opened."""
    found: list[tuple[str, Any]] = []
    for operation, argument in sequence:
        found += _flat(list(argument[-1])) if str(operation) == "SUBPATTERN" else [(str(operation), argument)]
    return found


def _is_one(element: tuple[str, Any]) -> bool:
    """Whether it is there in every round, as one character or more."""
    operation, argument = element
    return operation in {"LITERAL", "NOT_LITERAL", "ANY", "IN"} or (operation in REPEATS and argument[0] > 0)


def _letters(sequence: list[tuple[str, Any]]) -> Letters:
    """The characters that the first element, or any of a repeat's, can match; all of them where that is not told."""
    if not sequence:
        return frozenset()
    operation, argument = sequence[0]
    if operation == "LITERAL":
        return frozenset({argument})
    if operation == "NOT_LITERAL":
        return ALPHABET - {argument}
    if operation == "IN":
        return _of_class(argument)
    if operation in REPEATS:
        return frozenset().union(*(_letters([one]) for one in _flat(list(argument[2]))))
    return ALPHABET


def _of_class(parts: list[Any]) -> Letters:
    found: set[int] = set()
    negated = False
    for operation, argument in parts:
        kind = str(operation)
        if kind == "NEGATE":
            negated = True
        elif kind == "LITERAL":
            found.add(argument)
        elif kind == "RANGE":
            found |= set(range(argument[0], min(argument[1], max(ALPHABET)) + 1))
        else:
            found |= _of_category(str(argument))
    return ALPHABET - found if negated else frozenset(found)


def _of_category(name: str) -> set[int]:
    kind = next((kind for kind in CATEGORIES if name.endswith(kind)), None)
    if kind is None:
        return set(ALPHABET)
    holds = {letter for letter in ALPHABET if CATEGORIES[kind](chr(letter))}
    return set(ALPHABET) - holds if "NOT" in name else holds
