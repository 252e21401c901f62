"""Measurements of speed and memory, beside stock scvi-tools and transformers: `make bench`."""
