"""From files to cells: what is there, what is fetched, prepared, drawn and held apart."""
