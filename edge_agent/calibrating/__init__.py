"""Calibrates one's own instrument: normal frames of known lots, what they can carry, the fit, the file. Needs no torch."""

from __future__ import annotations

from edge_agent.calibrating.fit import Fitted, chosen, fit, show_changes, write
from edge_agent.calibrating.material import Material, from_folder, from_journal
from edge_agent.calibrating.survey import Suspicion, settings_of, strangers, suspicions, table

__all__ = [
    "Fitted",
    "Material",
    "Suspicion",
    "chosen",
    "fit",
    "from_folder",
    "from_journal",
    "settings_of",
    "show_changes",
    "strangers",
    "suspicions",
    "table",
    "write",
]
