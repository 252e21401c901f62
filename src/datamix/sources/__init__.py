"""Readers of published files, found by the name that the manifest gives (`registry`), and the simulator."""
