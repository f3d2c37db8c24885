"""Patterns of electron backscatter diffraction: files of a whole scan, each pattern a frame, in the order of the scan.

They may hold a hundred thousand patterns and more, so they are read one by one, from whichever on.
"""

from edge_agent.frames.readers.ebsd.ebsp import EBSP
from edge_agent.frames.readers.ebsd.nordif import NORDIF
from edge_agent.frames.readers.ebsd.up import UP1, UP2

__all__ = ["EBSP", "NORDIF", "UP1", "UP2"]
