"""TIFF as X-ray detectors write it: Dectris' own, and that of EPICS areaDetector."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge_agent.frames.readers.dectris import are_remarks, read_remarks
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_number, to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

EPICS = "EPICS areaDetector"
EPICS_EPOCH = datetime(1990, 1, 1, tzinfo=UTC)
EPICS_SECONDS, EPICS_NANOSECONDS = 65002, 65003
EPICS_ATTRIBUTES = range(65010, 65200)
"""Texts `name:value` of whatever a beamline has it write."""
DESCRIPTION, MODEL, SOFTWARE, WHEN = 270, 272, 305, 306
TAGS = frozenset((DESCRIPTION, MODEL, SOFTWARE, WHEN, EPICS_SECONDS, EPICS_NANOSECONDS, *EPICS_ATTRIBUTES))
DECTRIS_WHEN = ("%Y:%m:%d %H:%M:%S",)


def read_detector(tags: Mapping[int, Any], time_zone: tzinfo | None) -> Record | None:
    """What these TAGS say of how the frame was taken; None where no detector that is known wrote them."""
    if are_remarks(str(tags.get(DESCRIPTION, ""))):
        record = read_remarks(str(tags[DESCRIPTION]), time_zone)
        record.take("acquired_at", to_utc(str(tags.get(WHEN, "")), DECTRIS_WHEN, time_zone), "DateTime")
        record.take("detector", text_of(str(tags.get(MODEL, "")).partition(", S/N")[0]), "Model")
        return record
    if tags.get(SOFTWARE) == EPICS:
        record = Record()
        record.take("acquired_at", _since_1990(tags.get(EPICS_SECONDS), tags.get(EPICS_NANOSECONDS)), "tags 65002, 65003")
        for code in EPICS_ATTRIBUTES:
            name, colon, value = str(tags.get(code, "")).partition(":")
            if colon:
                record.also(name, value)
        return record
    return None


def _since_1990(seconds: object, nanoseconds: object) -> datetime | None:
    whole, part = to_number(seconds), to_number(nanoseconds) or 0.0
    try:
        return EPICS_EPOCH + timedelta(seconds=whole, microseconds=part // 1000) if whole else None
    except OverflowError:
        return None
