"""Train, evaluate, export and lay out the ensembles that edge-agent asks."""

import edge_agent as edge_agent  # before onnxruntime, which it keeps from calling home
