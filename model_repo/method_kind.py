"""The names of the uncertainty methods, for recipes and the command line; what they do stands in model_repo/uncertainty."""

from __future__ import annotations

from enum import StrEnum


class MethodKind(StrEnum):
    """How a served model knows what it does not know."""

    SOFTMAX = "softmax"
    MC_DROPOUT = "mc_dropout"
    DEEP_ENSEMBLE = "deep_ensemble"
    SPECTRAL_GP = "spectral_gp"
    VGP_HEAD = "vgp_head"
    LLPR = "llpr"
