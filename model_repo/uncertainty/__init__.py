"""The methods, one a file: each makes a served graph of trained networks that also says how far to believe it."""

from __future__ import annotations

from model_repo.method_kind import MethodKind
from model_repo.uncertainty.deep_ensemble import DeepEnsemble
from model_repo.uncertainty.llpr import LastLayerRigidity
from model_repo.uncertainty.mc_dropout import MonteCarloDropout
from model_repo.uncertainty.method import Fitting, Method, Served
from model_repo.uncertainty.softmax import Softmax
from model_repo.uncertainty.spectral_gp import SpectralGaussianProcess
from model_repo.uncertainty.vgp_head import VariationalHead

METHODS: dict[MethodKind, Method] = {
    MethodKind.SOFTMAX: Softmax(),
    MethodKind.MC_DROPOUT: MonteCarloDropout(),
    MethodKind.DEEP_ENSEMBLE: DeepEnsemble(),
    MethodKind.SPECTRAL_GP: SpectralGaussianProcess(),
    MethodKind.VGP_HEAD: VariationalHead(),
    MethodKind.LLPR: LastLayerRigidity(),
}

__all__ = ["METHODS", "Fitting", "Method", "Served"]
