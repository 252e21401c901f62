"""File formats: one module a format, each read in bounded memory."""
