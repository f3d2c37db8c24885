"""Episodes and the frames behind them: what was scored under the names that an alert gives."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import DriftState
from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

LOOKED_BACK = 2000
"""Frames of all streams before the onset among which frames for comparison are looked for."""
OFFERED = 6
"""Frames for comparison: more than are shown, since some may be gone."""
LATEST = 1 << 62
ESCAPED = re.compile(r"\\u(d[89a-f][0-9a-f]{2})")
"""How an event shows what is no Unicode in a file's name."""


@dataclass(frozen=True, slots=True)
class ScoredFrame:
    """A frame as the journal keeps it; `data` is its scored event's data, `path` its file's true name."""

    path: str
    frame_index: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The frames behind an alert.

    Attributes:
        frames: as the alert names them; the data are empty where the journal has forgotten a frame.
        before: frames from before the onset, judged ordinary, the best for comparison first: of the evidence's lot, then the latest.
    """

    frames: tuple[ScoredFrame, ...]
    before: tuple[ScoredFrame, ...]


def newest(connection: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """The newest event's data of the newest episodes, open ones first."""
    rows = connection.execute("SELECT data FROM episode ORDER BY is_open DESC, told_at_ns DESC, episode LIMIT ?", (limit,))
    return [json.loads(data) for (data,) in rows]


def evidence(connection: sqlite3.Connection, alert: dict[str, Any]) -> Evidence:
    """The frames as they were when the alert was told: a file rewritten since then has another generation."""
    stream = alert["stream"]
    up_to = _caused_by(connection, alert)
    places = list(zip(alert["evidence_paths"], alert["evidence_frame_indices"], strict=True))
    found = [_find(connection, stream, path, index, up_to) for path, index in places]
    onset = _find(connection, stream, alert["onset_path"], alert["onset_frame_index"], up_to)
    rows = [row for row, _ in filter(None, (onset, *found))]
    lots = Counter(frame.data["lot"] for _, frame in filter(None, found))
    frames = tuple(
        one[1] if one is not None else ScoredFrame(_unescaped(path), index, {}) for one, (path, index) in zip(found, places, strict=True)
    )
    before = _before(connection, stream, min(rows), lots.most_common(1)[0][0] if lots else "") if rows else ()
    return Evidence(frames, before)


def _caused_by(connection: sqlite3.Connection, alert: dict[str, Any]) -> int:
    """The sequence number of the file that caused the alert, which was judged in one moment with it; LATEST where it is not known."""
    for path in _names(alert["path"]):
        rows = connection.execute(
            "SELECT seq, data FROM frame WHERE stream = ? AND path = ? ORDER BY generation DESC, frame_index DESC",
            (alert["stream"], stored(path)),
        )
        for seq, data in rows:
            if json.loads(data)["emitted_at"] == alert["emitted_at"]:
                return int(seq)
    return LATEST


def _find(connection: sqlite3.Connection, stream: str, shown: str, frame_index: int, up_to: int) -> tuple[int, ScoredFrame] | None:
    for path in _names(shown):
        row = connection.execute(
            "SELECT rowid, data FROM frame WHERE stream = ? AND path = ? AND frame_index = ? AND seq <= ? ORDER BY generation DESC LIMIT 1",
            (stream, stored(path), frame_index, up_to),
        ).fetchone()
        if row is not None:
            return int(row[0]), ScoredFrame(path, frame_index, json.loads(row[1]))
    return None


def _before(connection: sqlite3.Connection, stream: str, row: int, lot: str) -> tuple[ScoredFrame, ...]:
    rows = connection.execute(
        "SELECT path, frame_index, data FROM (SELECT rowid AS number, * FROM frame WHERE rowid < ? ORDER BY rowid DESC LIMIT ?)"
        " WHERE stream = ? ORDER BY number DESC",
        (row, LOOKED_BACK, stream),
    )
    frames = (ScoredFrame(restored(path), index, json.loads(data)) for path, index, data in rows)
    ordinary = [frame for frame in frames if frame.data["drift_state"] != DriftState.ALARM]
    return tuple(sorted(ordinary, key=lambda frame: frame.data["lot"] != lot)[:OFFERED])  # stable: the latest come first


def _names(shown: str) -> Iterator[str]:
    """What a name in an event may stand for."""
    yield shown
    if (other := _unescaped(shown)) != shown:
        yield other


def _unescaped(shown: str) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), shown)
