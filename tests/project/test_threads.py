"""One thread within the block, as many as before after it, whatever happens."""

import pytest
import torch

from datamix.project.threads import one_thread


def test_the_number_of_threads_comes_back():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ValueError, match="1 thread"):
            _fail()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@one_thread()
def _fail() -> None:
    raise ValueError(f"{torch.get_num_threads()} thread")
