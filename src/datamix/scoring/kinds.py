"""Kinds of model whose scores stand side by side."""

LDVAE = "ldvae"
SIMPLE_MODELS = ("pca", "nmf", "nearest", "mean")
"""Fitted to the same training cells (`datamix.scoring.simple_models`)."""
