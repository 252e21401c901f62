"""Simulated haematopoiesis: gene programmes on a tree of cell states, with known truth."""
