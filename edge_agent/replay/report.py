"""A replay in words and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from edge_agent.replay.alarms import Alarm, Place
    from edge_agent.replay.comparison import Compared
    from edge_agent.replay.replay import Replayed

COLUMNS = ("", "kind", "confidence", "onset", "onset time (UTC)", "opened at", "closed at", "evidence", "difference")


def preamble(replayed: Replayed) -> Iterator[str]:
    """What was judged and how, line by line."""
    span = f"from {replayed.first_at:%Y-%m-%d %H:%M:%S} to {replayed.last_at:%Y-%m-%d %H:%M:%S} UTC"
    earlier = f"; {replayed.warm_up} earlier ones were judged before them" if replayed.warm_up else ""
    yield f"{replayed.frames} frames of stream {replayed.stream} ({replayed.source}), taken {span}{earlier}."
    yield f"Calibration: {replayed.calibration}. {replayed.guarantee}"
    yield from (f"Left out: {number} {reason}." for reason, number in replayed.left_out.items())
    if replayed.as_recorded is not None:
        yield f"{replayed.as_recorded} of {replayed.frames} frames are judged as they were recorded."
    if replayed.limits is not None and replayed.limits[0] != replayed.limits[1]:
        then, now = (10.0**limit for limit in replayed.limits)
        yield f"The alarm limit is {now:,.0f} frames; it was {then:,.0f}."
    if replayed.pruned:
        yield "The journal has forgotten older frames: the first alarms may differ for that alone."


def rows(replayed: Replayed) -> Iterator[tuple[str, ...]]:
    """A row of text for each alarm, in the order of `COLUMNS`."""
    for line in replayed.lines:
        newest = line.alarm.newest
        yield (
            line.standing.value,
            newest["kind"],
            "-" if newest["confidence"] is None else f"{newest['confidence']:.2f}",
            f"sample {newest['onset_sample'] or '-'}, {_named(newest['onset_path'], newest['onset_frame_index'])}",
            newest["onset_time"],
            _at(line.alarm.opened),
            _at(line.alarm.closed),
            str(len(newest["evidence_paths"])),
            line.difference,
        )


def as_object(replayed: Replayed) -> dict[str, Any]:
    """All of it, for programs; an alarm's `alerts` are the alert events' data."""
    return {
        "stream": replayed.stream,
        "source": replayed.source,
        "frames": replayed.frames,
        "first_frame_time": _time(replayed.first_at),
        "last_frame_time": _time(replayed.last_at),
        "frames_before": replayed.warm_up,
        "left_out": replayed.left_out,
        "frames_judged_as_recorded": replayed.as_recorded,
        "alarm_limit_recorded": None if replayed.limits is None else replayed.limits[0],
        "alarm_limit": None if replayed.limits is None else replayed.limits[1],
        "older_frames_forgotten": replayed.pruned,
        "calibration": replayed.calibration,
        "guarantee": replayed.guarantee,
        "alarms": [_line(line) for line in replayed.lines],
    }


def _line(line: Compared) -> dict[str, Any]:
    return {
        "standing": line.standing.value,
        "difference": line.difference,
        "replayed": None if line.replayed is None else _alarm(line.replayed),
        "raised": None if line.raised is None else _alarm(line.raised),
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    newest = alarm.newest
    evidence = zip(newest["evidence_paths"], newest["evidence_frame_indices"], strict=True)
    return {
        "kind": newest["kind"],
        "confidence": newest["confidence"],
        "reason": newest["reason"],
        "onset": {
            "sample": newest["onset_sample"],
            "path": newest["onset_path"],
            "frame_index": newest["onset_frame_index"],
            "time": newest["onset_time"],
        },
        "opened": _place(alarm.opened),
        "closed": _place(alarm.closed),
        "evidence": [{"path": path, "frame_index": index} for path, index in evidence],
        "alerts": alarm.facts,
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    frame = place.frame
    return {
        "number": place.number,
        "sample": frame.sample,
        "path": _spelled(frame.path),
        "frame_index": frame.frame_index,
        "time": _time(frame.at),
    }


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _at(place: Place | None) -> str:
    return "-" if place is None else f"{_named(_spelled(place.frame.path), place.frame.frame_index)}, {place.frame.at:%Y-%m-%d %H:%M:%S}"


def _named(path: str, index: int) -> str:
    return path + (f" frame {index}" if index else "")


def _spelled(path: str) -> str:
    """A name that is no Unicode as events spell it."""
    return path.encode("utf-8", "backslashreplace").decode()
