"""What may be forgotten: results and acknowledged events of old, never an unsent event; and the space that they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

STEP = 2000
"""Rows a transaction, so that a commit never waits long behind a pruning."""

FRAMES = "DELETE FROM frame WHERE rowid IN (SELECT rowid FROM frame ORDER BY rowid LIMIT :step) AND recorded_at_ns < :before_ns"
REFUSED = FRAMES.replace("frame", "refused_frame")
EVENTS = """
    DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT :step) AND queued_at_ns < :before_ns
    AND seq <= (SELECT published_up_to FROM journal)"""
ADMISSIONS = """
    DELETE FROM admission WHERE seq IN
    (SELECT seq FROM admission WHERE outcome IS NOT NULL AND finished_at_ns < :before_ns ORDER BY seq LIMIT :step)"""
VACUUM_PAGES = 500
"""Pages a transaction, 2 MB: each may have to be moved."""
SPARE_PAGES = 1000
SPARE_SHARE = 0.1
"""Free pages that are kept for the frames to come: this many, or this share of the file if that is more."""
EPISODES = "DELETE FROM episode WHERE NOT is_open AND told_at_ns < :before_ns"
STATEMENTS = (FRAMES, REFUSED, EVENTS, ADMISSIONS, EPISODES)
"""Each deletes at most `STEP` of the oldest rows, and is to be repeated until it finds none."""


def prune_step(connection: sqlite3.Connection, statement: str, before_ns: int) -> int:
    """Run one of `STATEMENTS` once; returns how many rows went."""
    return connection.execute(statement, {"before_ns": before_ns, "step": STEP}).rowcount


def vacuum_step(connection: sqlite3.Connection) -> int:
    """Give some free pages back to the file system, where there are more than are kept; returns how many went, 0 at the end.

    To be called outside a transaction, as it is one.
    """
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    surplus = free - max(SPARE_PAGES, int(SPARE_SHARE * pages))
    if surplus <= 0:
        return 0
    connection.executescript(f"PRAGMA incremental_vacuum({min(surplus, VACUUM_PAGES)})")  # execute would stop after the first page
    (left,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(free - left)
