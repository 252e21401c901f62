"""Geneformer, the second model family: rank value encoding, pretraining on a mixture, zero-shot evaluation."""
