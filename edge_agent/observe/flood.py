"""Lines that repeat are written a few times a minute and counted beyond: ten thousand bad files must not fill the log's disk."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

LINES = 20
"""Lines of one kind that are written in a period."""
PERIOD_S = 60.0
KINDS = 500
"""Kinds that are told apart; the one longest unseen is forgotten."""
FIELDS = ("stream", "cause", "part", "sink")
"""Two lines of one message are of one kind when they agree in these."""
MORE = f"further lines like this are counted, not written, for up to {PERIOD_S:g} s"


@dataclass(slots=True)
class _Kind:
    since_s: float
    lines: int = 0
    left_out: int = 0


class Flood(logging.Filter):
    """Passes the first `LINES` lines of a kind in each `PERIOD_S`; the last of them says so, and the next period's first counts the rest.

    Args:
        now_s: monotonic seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        now_s, of = self._now_s(), _kind_of(record)
        kind = self._kinds.setdefault(of, _Kind(now_s))
        self._kinds.move_to_end(of)
        if len(self._kinds) > KINDS:
            self._kinds.popitem(last=False)
        if now_s - kind.since_s >= PERIOD_S:
            if kind.left_out:
                _add(record, "not_written_before", kind.left_out)
            kind.since_s, kind.lines, kind.left_out = now_s, 0, 0
        kind.lines += 1
        if kind.lines > LINES:
            kind.left_out += 1
            return False
        if kind.lines == LINES:
            _add(record, "note", MORE)
        return True


def _kind_of(record: logging.LogRecord) -> Hashable:
    """A library's lines are of one kind when they are made from one text, before anything is filled in."""
    if isinstance(record.msg, dict):
        return (record.name, record.levelno, str(record.msg.get("event")), *(str(record.msg.get(name)) for name in FIELDS))
    return (record.name, record.levelno, str(record.msg))


def _add(record: logging.LogRecord, name: str, value: Any) -> None:
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, name: value}
    else:
        record.msg, record.args = f"{record.getMessage()} ({name}: {value})", ()
