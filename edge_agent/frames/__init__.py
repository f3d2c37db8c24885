"""From a file an instrument wrote to frames: pixels, acquisition, statistics, content hash; or one clear refusal."""

from edge_agent.frames.completeness import Completeness, completeness
from edge_agent.frames.decode import decode, decode_portion
from edge_agent.frames.limits import DecodeLimits
from edge_agent.frames.page import Page
from edge_agent.frames.pool import DecoderPool
from edge_agent.frames.process import DecoderLostError, DecoderProcess
from edge_agent.frames.reader import FollowedReader, Reader, Source, Stack, StackReader, all_pages
from edge_agent.frames.registry import readers
from edge_agent.frames.statistics import content_hash, measure

__all__ = [
    "Completeness",
    "DecodeLimits",
    "DecoderLostError",
    "DecoderPool",
    "DecoderProcess",
    "FollowedReader",
    "Page",
    "Reader",
    "Source",
    "Stack",
    "StackReader",
    "all_pages",
    "completeness",
    "content_hash",
    "decode",
    "decode_portion",
    "measure",
    "readers",
]
