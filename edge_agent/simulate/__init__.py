"""An instrument to rehearse with: real micrographs or virtual specimens, seen through a filament that can be changed."""

from __future__ import annotations

from edge_agent.simulate.changes import AcquisitionChange, known_changes
from edge_agent.simulate.column import Filament, blur
from edge_agent.simulate.instrument import simulate, views
from edge_agent.simulate.plan import PlannedSample, plan_samples
from edge_agent.simulate.source import Recorded, Source, Subject
from edge_agent.simulate.source_real import WINDOW_PX, Micrographs, View, read_as_grey, visit
from edge_agent.simulate.source_virtual import VirtualLots
from edge_agent.simulate.unrelated import unrelated_picture
from edge_agent.simulate.virtual import KNOWN_LOTS, MICROSCOPE_VERSION, UNSEEN_LOTS, Column, VirtualMicroscope

__all__ = [
    "KNOWN_LOTS",
    "MICROSCOPE_VERSION",
    "UNSEEN_LOTS",
    "WINDOW_PX",
    "AcquisitionChange",
    "Column",
    "Filament",
    "Micrographs",
    "PlannedSample",
    "Recorded",
    "Source",
    "Subject",
    "View",
    "VirtualLots",
    "VirtualMicroscope",
    "blur",
    "known_changes",
    "plan_samples",
    "read_as_grey",
    "simulate",
    "unrelated_picture",
    "views",
    "visit",
]
