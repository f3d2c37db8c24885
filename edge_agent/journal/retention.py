"""What may be forgotten: results and acknowledged events of old, never an unsent event or a known file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

STEP = 2000
"""Rows a transaction, so that a commit never waits long behind a pruning."""

FRAMES = "DELETE FROM frame WHERE rowid IN (SELECT rowid FROM frame ORDER BY rowid LIMIT :step) AND recorded_at_ns < :before_ns"
EVENTS = """
    DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT :step) AND queued_at_ns < :before_ns
    AND seq <= (SELECT published_up_to FROM journal)"""
ADMISSIONS = """
    DELETE FROM admission WHERE seq IN
    (SELECT seq FROM admission WHERE outcome IS NOT NULL AND finished_at_ns < :before_ns ORDER BY seq LIMIT :step)"""
EPISODES = "DELETE FROM episode WHERE NOT is_open AND told_at_ns < :before_ns"
STATEMENTS = (FRAMES, EVENTS, ADMISSIONS, EPISODES)
"""Each deletes at most `STEP` of the oldest rows, and is to be repeated until it finds none."""


def prune_step(connection: sqlite3.Connection, statement: str, before_ns: int) -> int:
    """Run one of `STATEMENTS` once; returns how many rows went."""
    return connection.execute(statement, {"before_ns": before_ns, "step": STEP}).rowcount
