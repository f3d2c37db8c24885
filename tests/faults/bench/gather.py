"""What the journal holds and what a read-committed consumer got, as the checker wants it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from edge_agent.journal.text import restored
from tests.faults.bench.checker import Admitted, Consumed, Judged, Kept, Queued

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def kept(state_dir: Path) -> Kept:
    """The journal, in its own order."""
    uri = f"{(state_dir / 'journal.sqlite3').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        admissions = connection.execute("SELECT seq, path, outcome, cause, detail FROM admission ORDER BY seq").fetchall()
        frames = connection.execute(
            "SELECT seq, path, frame_index, content_hash, event_id, data FROM frame ORDER BY seq, frame_index"
        ).fetchall()
        outbox = connection.execute("SELECT seq, id, type, topic, key FROM outbox ORDER BY seq").fetchall()
    return Kept(
        tuple(Admitted(seq, restored(path), *rest) for seq, path, *rest in admissions),
        tuple(Judged(seq, restored(path), index, digest, event, json.loads(data)) for seq, path, index, digest, event, data in frames),
        tuple(Queued(*row) for row in outbox),
    )


def consumed(lines: Mapping[str, Sequence[bytes]]) -> list[Consumed]:
    """Each topic's records as kcat told them."""
    found = []
    for topic, told in lines.items():
        for line in told:
            record = json.loads(line)
            flat = record.get("headers") or []
            headers = dict(zip(flat[::2], flat[1::2], strict=True))
            data = json.loads(record["payload"])
            found.append(Consumed(topic, record["partition"], record["key"], headers["ce_id"], headers["ce_type"], data))
    return found
