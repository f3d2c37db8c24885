"""One file, looked at closely: what was understood of it, and what the model makes of its frames."""

from edge_agent.inspection.formats import Format, formats
from edge_agent.inspection.maps import WIDEST, entropy_picture, frame_map, legend, listed, map_text
from edge_agent.inspection.model import Inspected, inspect_file, model_for, zone_for
from edge_agent.inspection.whole import Inspection, as_plain, inspect
from edge_agent.inspection.words import described, lines_of

__all__ = [
    "WIDEST",
    "Format",
    "Inspected",
    "Inspection",
    "as_plain",
    "described",
    "entropy_picture",
    "formats",
    "frame_map",
    "inspect",
    "inspect_file",
    "legend",
    "lines_of",
    "listed",
    "map_text",
    "model_for",
    "zone_for",
]
