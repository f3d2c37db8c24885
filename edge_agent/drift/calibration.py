"""The calibration artefact: what a model's frames look like, lot by lot, while nothing is wrong."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.core.calibration_scores import CalibrationScores
from edge_agent.core.errors import ModelError
from edge_agent.drift.components import COMPONENTS
from edge_agent.drift.strata import UNRECORDED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

SAMPLES_FOR_A_GUARANTEE = 6
"""Independent samples a lot needs before a false-alarm rate can be promised; 16 are recommended."""

NEW_ONE = "copy the whole model folder again, or calibrate with this release: `edge-agent calibrate`, or `model-repo calibrate` for a model"
"""The way out of a calibration that cannot be used."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Sorted = Annotated[tuple[Number, ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Part):
    """One component's usual place and spread within one lot, in the component's own unit.

    Attributes:
        centre: mean over samples of the sample means.
        within: standard deviation of frames around their sample's mean.
        between: standard deviation of samples around the lot's centre, frames' scatter taken out; from fewer than 6 samples it is inflated
            instead, so that it covers the true one in 9 cases of 10.
        contrast: standard deviation of the mean of 8 frames less the mean of the sample's first 8.
        centre_error: standard error of `centre`.
        degrees: of freedom behind `between`, moderated by the other lots; None where it is inflated.
    """

    centre: Number
    within: Positive
    between: Positive
    contrast: Positive
    centre_error: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    degrees: Positive | None = None


class Signature(_Part):
    """What a known change of the acquisition does to a lot's components.

    Attributes:
        change: what was changed, in words.
        strength: how much of it; for a filament change 1 is the paper's.
        shift: mean shift of each component, in the component's own unit.
    """

    change: str
    strength: Number
    shift: tuple[Number, ...]


class LotCalibration(_Part):
    """One lot.

    Attributes:
        samples: independent samples that the network's components were calibrated on.
        acquisition_samples: independent samples behind the acquisition statistics.
        frames: frames of those `samples`.
        distance, entropy, mutual_information: the frames' scores, ascending.
        distance_weight: of each distance in a conformal p-value, where each sample weighs one; empty when all have as many frames.
        spread: by component, over samples of this lot.
        spread_as_predicted: by component, over samples whose frames mostly were given this lot, whatever their own: what holds where lots
            are not declared; None when too few were.
        limit_fraction: largest fraction of pixels at a limit of the detector's range that a good frame showed.
        signatures: what known changes of the acquisition would do.
    """

    samples: Annotated[int, Field(gt=0)]
    acquisition_samples: Annotated[int, Field(gt=0)]
    frames: Annotated[int, Field(gt=0)]
    distance: Sorted
    entropy: Sorted
    mutual_information: Sorted
    distance_weight: tuple[Positive, ...] = ()
    spread: dict[str, Spread]
    spread_as_predicted: dict[str, Spread] | None = None
    limit_fraction: Annotated[float, Field(ge=0, le=1)]
    signatures: tuple[Signature, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for spread in (self.spread, self.spread_as_predicted):
            if spread is not None and set(spread) != set(COMPONENTS):
                raise ValueError(f"a spread must name exactly {', '.join(COMPONENTS)}")
        for name in ("distance", "entropy", "mutual_information"):
            table = getattr(self, name)
            if any(later < earlier for earlier, later in itertools.pairwise(table)):
                raise ValueError(f"{name} must ascend")
        if self.distance_weight and len(self.distance_weight) != len(self.distance):
            raise ValueError("distance_weight must have a weight for every distance")
        if any(len(signature.shift) != len(COMPONENTS) for signature in self.signatures):
            raise ValueError(f"a signature needs {len(COMPONENTS)} shifts")
        return self


class Calibration(_Part):
    """What belongs beside a served model so that its scores mean something.

    Attributes:
        model_digest: SHA-256 of the ONNX graph it was measured with.
        members: ensemble members that answered.
        lots: by name.
        stratum: the settings `lots` were measured at, see `edge_agent.drift.strata`; "" when the frames did not say.
        strata: lots at other settings, by stratum.
        source: where the frames came from, in words.
        schema_version: 1 had inflated spreads whatever the samples, as lots with few samples still have.
    """

    schema_version: Literal[1, 2] = 2
    model_digest: str
    members: Annotated[int, Field(gt=0)]
    lots: Annotated[dict[str, LotCalibration], Field(min_length=1)]
    stratum: str = UNRECORDED
    strata: dict[str, Annotated[dict[str, LotCalibration], Field(min_length=1)]] = {}
    source: str

    @property
    def digest(self) -> str:
        """SHA-256 of the artefact's content, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def distances(self) -> dict[str, CalibrationScores]:
        """Each lot's calibration distances, for conformal p-values."""
        return {name: _scores(lot) for name, lot in self.lots.items()}

    @property
    def scarce(self) -> dict[str, int]:
        """Lots with too few independent samples for a guarantee, with how many they have; those at other settings with the settings."""
        held = {name: lot.samples for name, lot in sorted(self.lots.items())}
        for stratum, lots in self.strata.items():
            held |= {f"{name} at {stratum or 'settings that are not recorded'}": lot.samples for name, lot in sorted(lots.items())}
        return {name: samples for name, samples in held.items() if samples < SAMPLES_FOR_A_GUARANTEE}

    def at(self, stratum: str) -> Mapping[str, LotCalibration] | None:
        """The lots at these settings; None where they were never calibrated."""
        return self.lots if stratum == self.stratum else self.strata.get(stratum)


def _scores(lot: LotCalibration) -> CalibrationScores:
    weights = np.asarray(lot.distance_weight or (1.0,) * len(lot.distance), np.float64)
    return CalibrationScores(np.asarray(lot.distance, np.float64), weights / weights.sum(), lot.samples)


def load_calibration(path: Path) -> Calibration:
    """Read a calibration; raises ModelError when it is absent or of another form."""
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(str(path), f"cannot be read ({error.strerror})", NEW_ONE) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ModelError(str(path), f"{place}: {first['msg']}", NEW_ONE) from error
