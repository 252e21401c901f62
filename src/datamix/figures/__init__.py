"""Drawings: each takes a tidy table, the panel's source data, and draws it; nothing is computed here."""
