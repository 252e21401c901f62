"""How well a trained model gives cells back, and what else is read out of it."""
