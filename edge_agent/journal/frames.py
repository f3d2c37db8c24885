"""Frame records as rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge_agent.journal.text import stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.journal.commit import FinishedFile


def keep(connection: sqlite3.Connection, files: Sequence[FinishedFile], now_ns: int) -> None:
    """Insert every frame of `files`, scored or refused; a frame that is already there is an integrity error, never a second row."""
    connection.executemany(
        "INSERT INTO frame VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                done.admission.file.stream,
                stored(done.admission.file.path),
                done.generation,
                frame.frame_index,
                done.admission.seq,
                frame.content_hash,
                now_ns,
                frame.event_id,
                frame.data.decode(),
                json.dumps(frame.field_entropy),
            )
            for done in files
            for frame in done.frames
        ),
    )
    connection.executemany(
        "INSERT INTO refused_frame VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                done.admission.file.stream,
                stored(done.admission.file.path),
                done.generation,
                frame.frame_index,
                done.admission.seq,
                frame.content_hash,
                now_ns,
                frame.cause,
                frame.reason,
            )
            for done in files
            for frame in done.refused
        ),
    )


TOLD = """
    SELECT frame_index, content_hash FROM frame WHERE stream = ?1 AND path = ?2 AND generation = ?3
    UNION ALL SELECT frame_index, content_hash FROM refused_frame WHERE stream = ?1 AND path = ?2 AND generation = ?3"""
LAST = """
    SELECT generation, frame_index, content_hash FROM {} WHERE stream = ?1 AND path = ?2 AND generation <= ?3
    ORDER BY generation DESC, frame_index DESC LIMIT 1"""


def hashes(connection: sqlite3.Connection, stream: str, path: str, generation: int) -> dict[int, str]:
    """Map the place of every frame of one generation that was told of, scored or refused, to its content hash."""
    return dict(connection.execute(f"{TOLD} ORDER BY frame_index", (stream, stored(path), generation)).fetchall())


def last(connection: sqlite3.Connection, stream: str, path: str, generation: int) -> tuple[int, int, str] | None:
    """Generation, place and content hash of the last of a path's frames that was told of, in `generation` or the newest one before it.

    None when there is none. One step each in the tables' own indices: a file that is written over for months has many generations.
    """
    newest = [connection.execute(LAST.format(table), (stream, stored(path), generation)).fetchone() for table in ("frame", "refused_frame")]
    return max(filter(None, newest), default=None)
