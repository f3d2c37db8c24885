"""An instrument to rehearse with: real micrographs seen through a filament that can be changed."""

from __future__ import annotations

from edge_agent.simulate.column import Filament, blur
from edge_agent.simulate.instrument import simulate, views
from edge_agent.simulate.plan import PlannedSample, plan_samples
from edge_agent.simulate.source_real import WINDOW_PX, Micrographs, View, read_grey, visit
from edge_agent.simulate.unrelated import unrelated_picture

__all__ = [
    "WINDOW_PX",
    "Filament",
    "Micrographs",
    "PlannedSample",
    "View",
    "blur",
    "plan_samples",
    "read_grey",
    "simulate",
    "unrelated_picture",
    "views",
    "visit",
]
