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
    """Insert every frame of `files`; a frame that is already there is an integrity error, never a second row."""
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


def hashes(connection: sqlite3.Connection, stream: str, path: str, generation: int) -> tuple[str, ...]:
    """Content hashes of one generation's frames, in the order of the file."""
    rows = connection.execute(
        "SELECT content_hash FROM frame WHERE stream = ? AND path = ? AND generation = ? ORDER BY frame_index",
        (stream, stored(path), generation),
    )
    return tuple(content_hash for (content_hash,) in rows)
