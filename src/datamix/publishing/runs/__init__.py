"""What a run has to do, what it costs, what it made, and how it goes to a cluster."""
