"""The draws of scvi-tools, for the fast trainer: where both are to take the same steps."""

import numpy as np
import torch


class DrawsOfTorch:
    """Dropout of 0.1 and posterior samples from torch's generator, as scvi-tools draws them."""

    def random(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Draw what is kept: 0 is below the dropout, 1 is not."""
        return torch.empty(shape).bernoulli_(0.9).numpy()

    def standard_normal(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Draw the noise of posterior samples."""
        return torch.randn(shape).numpy()
