"""One format a file. A reader's module imports at its top nothing but NumPy: it is loaded wherever a file is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.frames.readers.cbf import CBF
from edge_agent.frames.readers.compressed import compressed
from edge_agent.frames.readers.dm import DM
from edge_agent.frames.readers.ebsd import EBSP, NORDIF, UP1, UP2
from edge_agent.frames.readers.edf import EDF
from edge_agent.frames.readers.hdf5 import HDF5
from edge_agent.frames.readers.mrc import MRC
from edge_agent.frames.readers.picture import BMP, JPEG, PNG
from edge_agent.frames.readers.raxis import RAXIS
from edge_agent.frames.readers.ser import SER
from edge_agent.frames.readers.sfrm import SFRM
from edge_agent.frames.readers.smv import SMV
from edge_agent.frames.readers.tiff import TIFF
from edge_agent.frames.readers.xrdml import XRDML

if TYPE_CHECKING:
    from edge_agent.frames.reader import Reader

BUILT_IN: tuple[Reader, ...] = (
    TIFF,
    PNG,
    JPEG,
    BMP,
    HDF5,
    CBF,
    EDF,
    SFRM,
    SMV,
    RAXIS,
    XRDML,
    *compressed((CBF, EDF, SFRM, SMV)),
    MRC,
    SER,
    DM,
    UP1,
    UP2,
    EBSP,
    NORDIF,
)
"""In the order in which they are asked: formats with a signature first."""
