"""The agent's memory: admissions, results, drift states and unsent events, in one SQLite file that one agent owns."""

from __future__ import annotations

from edge_agent.journal import operation
from edge_agent.journal.absence import FIRST, Key
from edge_agent.journal.alerts import AlertOutbox
from edge_agent.journal.commit import Commit, FinishedFile, FrameRecord, Outcome
from edge_agent.journal.episodes import ScoredFrame
from edge_agent.journal.journal import Journal
from edge_agent.journal.lock import running
from edge_agent.journal.operation import Baseline, Execution, Hold, Standing, Word
from edge_agent.journal.place import network_file_system
from edge_agent.journal.view import JournalStatus, JournalView, Quarantined, StreamStatus

__all__ = [
    "FIRST",
    "AlertOutbox",
    "Baseline",
    "Commit",
    "Execution",
    "FinishedFile",
    "FrameRecord",
    "Hold",
    "Journal",
    "JournalStatus",
    "JournalView",
    "Key",
    "Outcome",
    "Quarantined",
    "ScoredFrame",
    "Standing",
    "StreamStatus",
    "Word",
    "network_file_system",
    "operation",
    "running",
]
