"""A served model's manifest: what stands in its folder, what goes in, what comes out, and the digests that prove it."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from edge_agent.core.errors import ModelError
from edge_agent.core.prediction import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

MANIFEST_NAME = "manifest.json"
SHIPPED_PACKAGE = "model_repo"
SHIPPED_FOLDER = "served"


def _stays_inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} must be a path inside the model's folder, with '/' between parts")
    return name


FileName = Annotated[str, Field(min_length=1), AfterValidator(_stays_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DigestedFile(_Part):
    """A file of the model's folder and the SHA-256 of its bytes."""

    file: FileName
    sha256: Sha256


class Tensor(_Part):
    """A tensor of the graph; -1 stands for the batch."""

    name: str
    dtype: Literal["float32"] = "float32"
    shape: tuple[int, ...]


class Outputs(_Part):
    """What the graph returns.

    Attributes:
        probabilities: every member's, shape (-1, members, lots).
        distances: every member's distance from the training set, shape (-1, members); `Manifest.distance_kind` says which.
        local_map: inverse local rigidity over the field, shape (-1, rows, columns), larger where the field is less like the training
            set, dimensionless; None where the method has none.
    """

    probabilities: Tensor
    distances: Tensor
    local_map: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the graph's order."""
        return tuple(tensor for tensor in (self.probabilities, self.distances, self.local_map) if tensor is not None)


class Preprocessing(_Part):
    """How a frame becomes fields.

    Attributes:
        field_px: edge of a field on the frame, pixels.
        input_px: edge of the network's input, pixels.
        max_fields: fields a frame is thinned to.
    """

    field_px: Annotated[int, Field(gt=0)] = 256
    input_px: Annotated[int, Field(gt=0)] = 64
    max_fields: Annotated[int, Field(gt=0)] = 12


class ReferralPoint(_Part):
    """The entropy above which a frame goes to a person, and what that was measured or bounded to mean.

    Attributes:
        coverage: share of the calibration frames that need nobody.
        entropy_threshold: nats.
        risk: share of wrong answers among those frames; None when it was not measured.
        risk_bound: the risk of new samples that is not exceeded, with probability `confidence` over the draw of calibration samples.
            A point that has it was made for this risk; the others were made for their coverage.
        confidence: of `risk_bound`, such as 0.9.
    """

    coverage: Annotated[float, Field(gt=0, le=1)]
    entropy_threshold: float
    risk: Annotated[float | None, Field(ge=0, le=1)] = None
    risk_bound: Annotated[float | None, Field(gt=0, lt=1)] = None
    confidence: Annotated[float | None, Field(gt=0, lt=1)] = None

    @model_validator(mode="after")
    def _bound_has_its_confidence(self) -> Self:
        if (self.risk_bound is None) != (self.confidence is None):
            raise ValueError("a risk_bound needs its confidence, and a confidence its risk_bound")
        return self


class Canary(_Part):
    """The known answer to `canary_fields()`.

    Attributes:
        formula: which input; `sinusoids-1` is the one this release knows.
        probabilities: shape (fields, members, lots).
        tolerance: largest absolute difference in float32.
        fp16_tolerance: largest absolute difference of a TensorRT plan in half precision.
    """

    formula: Literal["sinusoids-1"] = "sinusoids-1"
    probabilities: tuple[tuple[tuple[float, ...], ...], ...]
    tolerance: Annotated[float, Field(gt=0)] = 1e-3
    fp16_tolerance: Annotated[float, Field(gt=0)] = 2e-2


class PlanFingerprint(_Part):
    """A TensorRT plan beside the ONNX, and the only place where it may run.

    Attributes:
        file, sha256: the plan in the model's folder.
        onnx_sha256: the graph it was built from.
        precision: fp32 or fp16.
        tensorrt_version, gpu, compute_capability: what built it; a plan runs on the same only.
        max_batch: largest batch of its optimisation profile.
        largest_difference: largest absolute difference of a member's probability from the ONNX on the reference batch.
    """

    file: FileName
    sha256: Sha256
    onnx_sha256: Sha256
    precision: Literal["fp32", "fp16"]
    tensorrt_version: str
    gpu: str
    compute_capability: str
    max_batch: Annotated[int, Field(gt=0)]
    largest_difference: Annotated[float, Field(ge=0)]


Method: TypeAlias = Literal["deep_ensemble", "softmax", "mc_dropout", "spectral_gp", "vgp_head", "llpr"]
"""How a model knows what it does not know, which also says what its members are.

deep_ensemble: networks trained from different seeds (Lakshminarayanan et al. 2017). softmax: one network, one member.
mc_dropout: one network under fixed dropout masks, one member a mask (Gal & Ghahramani 2016). spectral_gp: samples of the latent
function of a Gaussian process on a spectrally normalised network (Bi et al. 2021). vgp_head: the same of a variational head on any trained
network (UnlockNN, 2022). llpr: last layers sampled around the trained one by its prediction rigidity (Bigi et al. 2024).
"""

DistanceKind: TypeAlias = Literal["mahalanobis", "rigidity", "variance"]
"""What `distances` are, all larger for fields less like the training set.

mahalanobis: squared Mahalanobis distance of the features to the nearest lot's mean. rigidity: inverse last-layer prediction rigidity
1/R. variance: predictive variance of the Gaussian process's latent function.
"""


class Manifest(_Part):
    """All that is promised of a served model; the same for the embedded runtime, Triton and TensorRT."""

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
    task: Literal["classification"] = "classification"
    method: Method = "deep_ensemble"
    distance_kind: DistanceKind = "mahalanobis"
    lots: Annotated[tuple[str, ...], Field(min_length=2)]
    members: Annotated[int, Field(gt=0)]
    onnx: DigestedFile
    calibration: DigestedFile | None = None
    input: Tensor
    outputs: Outputs
    preprocessing: Preprocessing
    referral: tuple[ReferralPoint, ...] = ()
    canary: Canary
    plan: PlanFingerprint | None = None
    training: dict[str, JsonValue] = Field(default_factory=dict)
    licence: str

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        side = self.preprocessing.input_px
        expected = (
            (self.input, (-1, 1, side, side)),
            (self.outputs.probabilities, (-1, self.members, len(self.lots))),
            (self.outputs.distances, (-1, self.members)),
        )
        for tensor, shape in expected:
            if tensor.shape != shape:
                raise ValueError(f"tensor {tensor.name} has shape {list(tensor.shape)}, lots, members and input_px ask for {list(shape)}")
        place = self.outputs.local_map
        if place is not None and (len(place.shape) != 3 or place.shape[0] != -1 or min(place.shape[1:]) < 1):
            raise ValueError(f"tensor {place.name} has shape {list(place.shape)}, a map has [-1, rows, columns]")
        if len({tensor.name for tensor in self.outputs.tensors}) != len(self.outputs.tensors):
            raise ValueError("two outputs have one name")
        if len(set(self.lots)) != len(self.lots):
            raise ValueError("a lot is named twice")
        answer = self.canary.probabilities
        if not answer or any(len(field) != self.members or any(len(row) != len(self.lots) for row in field) for field in answer):
            raise ValueError("the canary's answer has another shape than (fields, members, lots)")
        return self

    def member_name(self, place: int) -> str:
        """What people call the member at `place`, from 0: its number from 1 and, where each member is a network, the seed it grew from.

        >>> Manifest.model_construct(members=1, training={"members": [{"seed": 7}]}).member_name(0)
        'member 1 (seed 7)'
        """
        told = self.training.get("members")
        one = told[place] if isinstance(told, list) and len(told) == self.members else None
        seed = one.get("seed") if isinstance(one, dict) else None
        return f"member {place + 1}" if seed is None else f"member {place + 1} (seed {seed})"

    @property
    def coverage_points(self) -> list[tuple[float, float]]:
        """Coverage and entropy threshold, nats, of the referral points made for a coverage."""
        return [(point.coverage, point.entropy_threshold) for point in self.referral if point.risk_bound is None]

    @property
    def risk_points(self) -> list[tuple[float, float]]:
        """Bound on the risk and entropy threshold, nats, of the referral points made for a risk."""
        return [(point.risk_bound, point.entropy_threshold) for point in self.referral if point.risk_bound is not None]

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and the digest of the ONNX graph."""
        return ModelIdentity(self.name, self.version, self.onnx.sha256)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_manifest(folder: Path) -> Manifest:
    """Read `<folder>/manifest.json`; raise ModelError when it is absent, unreadable or of another form."""
    path = folder / MANIFEST_NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(str(path), f"cannot be read ({error.strerror})", "name a folder that `model-repo export` wrote") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ModelError(str(path), f"{place}: {first['msg']}", "export the model again with this release of model-repo") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Check that graph and calibration lie in the folder, and their bytes against the manifest; raise ModelError naming both digests."""
    for entry in filter(None, (manifest.onnx, manifest.calibration)):
        path = folder / entry.file
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ModelError(str(path), "is a link that leads out of the model's folder", "copy the file itself into the folder")
        try:
            found = sha256_of(path)
        except OSError as error:
            raise ModelError(str(path), f"cannot be read ({error.strerror})", "copy the whole model folder again") from error
        if found != entry.sha256:
            raise ModelError(
                str(path),
                f"has SHA-256 {found}, its manifest expects {entry.sha256}",
                "copy the whole model folder again, or export the model anew so that file and manifest belong together",
            )


def shipped_models() -> Path | None:
    """The folder of models that model_repo ships, located without importing it; None when it is not installed."""
    spec = importlib.util.find_spec(SHIPPED_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    found = (Path(place) / SHIPPED_FOLDER for place in places or ())
    return next((folder for folder in found if folder.is_dir()), None)


def find_model(name: str, model_dirs: Sequence[Path] = (), builtin: Path | None = None) -> Path:
    """The folder of model `name`: in `model_dirs` in their order, then among the shipped ones (`builtin` replaces these)."""
    shipped = builtin or shipped_models()
    roots = [*model_dirs, *([shipped] if shipped else [])]
    known: dict[str, Path] = {}
    for root in roots:
        for manifest in sorted(root.glob(f"*/{MANIFEST_NAME}")):
            known.setdefault(manifest.parent.name, manifest.parent)
    if name in known:
        return known[name]
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    listing = ", ".join(sorted(known)) or "none"
    looked = ", ".join(map(str, roots)) or "nowhere: no model_dirs are set and no model ships"
    raise ModelError(f"model {name}", f"not found (looked in {looked})", f"{hint}known: {listing}")
