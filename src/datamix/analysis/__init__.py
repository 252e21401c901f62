"""What the results say: every function takes tables and returns tables."""
