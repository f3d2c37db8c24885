"""A virtual microscope: specimens of thirty lots, a column that can be misadjusted, frames and training arrays."""

from __future__ import annotations

from edge_agent.simulate.virtual.column import Column
from edge_agent.simulate.virtual.lots import KNOWN_LOTS, LOTS_VERSION, UNSEEN_LOTS, Lot, find_lot
from edge_agent.simulate.virtual.microscope import FIELDS_A_FRAME, FRAME_PX, MICROSCOPE_VERSION, VirtualMicroscope
from edge_agent.simulate.virtual.specimen import Specimen
from edge_agent.simulate.virtual.stamps import PIXEL_NM

__all__ = [
    "FIELDS_A_FRAME",
    "FRAME_PX",
    "KNOWN_LOTS",
    "LOTS_VERSION",
    "MICROSCOPE_VERSION",
    "PIXEL_NM",
    "UNSEEN_LOTS",
    "Column",
    "Lot",
    "Specimen",
    "VirtualMicroscope",
    "find_lot",
]
