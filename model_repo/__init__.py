"""Train, evaluate, export and lay out the ensembles that edge-agent asks."""
