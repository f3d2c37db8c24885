"""A past period seen through another calibration or threshold: what would have been alarmed, beside what was."""

from __future__ import annotations

from edge_agent.replay.alarms import Alarm, Place
from edge_agent.replay.comparison import Compared, Standing, compare
from edge_agent.replay.listener import Listener, Pace
from edge_agent.replay.replay import Replayed, Step, replay_folder, replay_journal
from edge_agent.replay.report import as_object

__all__ = [
    "Alarm",
    "Compared",
    "Listener",
    "Pace",
    "Place",
    "Replayed",
    "Standing",
    "Step",
    "as_object",
    "compare",
    "replay_folder",
    "replay_journal",
]
