"""What the study images: visits of known lots while nothing is wrong, and every change it asks about."""

from __future__ import annotations

import itertools

from edge_agent.simulate import KNOWN_LOTS, UNSEEN_LOTS
from tests.benchmarks.drift.pool import FIRST_SAMPLE, Visit

CALM_SAMPLES = 32
"""A lot; each calibration split takes 16 of them, its streams the others."""
FRAMES = 8
CHANGED_SAMPLES = 2
STRENGTHS = (0.25, 0.5, 1.0, 2.0)
"""Of the filament change; 1 is the paper's in the microscope's units, 0.25 what costs this network about the paper's points of accuracy."""
UNSEEN_SAMPLES = 8
UNSEEN_FRAMES = 16
UNRELATED_SAMPLES = 20
UNRELATED_FRAMES = 8
CURRENTS = (0.97, 0.94, 0.91, 0.88, 0.85, 0.8, 0.7)
"""Beam currents an ageing filament passes, over the usual."""
AGED_SAMPLES = 2
AGED_FRAMES = 4


def calm() -> list[Visit]:
    """Known lots, nothing wrong."""
    numbers = range(FIRST_SAMPLE, FIRST_SAMPLE + CALM_SAMPLES)
    return [Visit(lot, number, FRAMES) for number, lot in itertools.product(numbers, KNOWN_LOTS)]


def filament(strength: float) -> list[Visit]:
    """Known lots after an undeclared filament change."""
    numbers = range(FIRST_SAMPLE, FIRST_SAMPLE + CHANGED_SAMPLES)
    return [Visit(lot, number, FRAMES, filament=strength) for number, lot in itertools.product(numbers, KNOWN_LOTS)]


def unseen() -> list[Visit]:
    """Lots the network never saw."""
    numbers = range(FIRST_SAMPLE, FIRST_SAMPLE + UNSEEN_SAMPLES)
    return [Visit(lot, number, UNSEEN_FRAMES) for number, lot in itertools.product(numbers, UNSEEN_LOTS)]


def unrelated() -> list[Visit]:
    """Pictures that are no micrographs."""
    return [Visit("", number, UNRELATED_FRAMES) for number in range(UNRELATED_SAMPLES)]


def aged(current: float) -> list[Visit]:
    """Known lots under a weaker beam."""
    numbers = range(FIRST_SAMPLE, FIRST_SAMPLE + AGED_SAMPLES)
    return [Visit(lot, number, AGED_FRAMES, current=current) for number, lot in itertools.product(numbers, KNOWN_LOTS)]


def everything() -> list[Visit]:
    """In the order in which it is worth having."""
    half = len(calm()) // 2
    changed = [visit for strength in STRENGTHS for visit in filament(strength)]
    return [*calm()[:half], *unseen(), *changed, *unrelated(), *calm()[half:], *(visit for current in CURRENTS for visit in aged(current))]
