"""The smallest shift worth knowing, in a microscopist's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

WORDS = {
    ("noise", "+", "%"): "rise in noise",
    ("dose", "-", "%"): "loss of dose",
    ("blur", "+", "px"): "loss of focus",
    ("brightness", "+", "%"): "rise in brightness",
    ("brightness", "-", "%"): "fall in brightness",
    ("contrast", "-", "%"): "loss of contrast",
    ("filament", "", ""): "filament change",
}
"""What is said, in which direction and unit, and the change of `edge_agent.simulate.known_changes` that it means."""
EXAMPLES = "'noise +15 %', 'dose -30 %', 'blur +0.5 px', 'brightness -10 %', 'contrast -30 %', 'filament 1'"
_FORM = re.compile(r"(?P<what>[a-z]+)\s*(?P<sign>[+-]?)\s*(?P<size>\d+(?:\.\d+)?)\s*(?P<unit>%|px|)")


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of the acquisition of a given size.

    Attributes:
        change: its name among the known changes.
        strength: in that change's unit: fractions for what is said in percent, pixels, or the filament's strength.
        words: as it was said.
    """

    change: str
    strength: float
    words: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read words; raises ValueError for any other.

        >>> Shift.parse("dose -30 %").strength
        0.3
        """
        found = _FORM.fullmatch(text.strip().lower().replace("\N{MINUS SIGN}", "-"))
        change = WORDS.get((found["what"], found["sign"], found["unit"])) if found else None
        if found is None or change is None or float(found["size"]) == 0:
            raise ValueError(f"{text!r} is no shift that is known: say {EXAMPLES}")
        size = float(found["size"])
        return cls(change, round(size / 100, 6) if found["unit"] == "%" else size, text.strip())
