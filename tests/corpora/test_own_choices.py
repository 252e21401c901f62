from pathlib import Path

from datamix.corpora import own_shares
from datamix.corpora.own_choices import LARGEST_BLOCK, LEAST_BLOCK
from datamix.project.profile import QC

PAGE = (Path(__file__).parents[2] / "book" / "your_cells.md").read_text(encoding="utf-8")


def test_the_page_says_the_numbers_that_are_chosen():
    assert f"More than {QC().min_counts:,g} counts and less than a tenth of them mitochondrial" in PAGE
    assert QC().max_mito == 0.1
    assert f"the smallest added set, {LARGEST_BLOCK:,} at most" in PAGE
    assert f"An added set of fewer than {LEAST_BLOCK:,} cells does not bound it" in PAGE
    assert f"an added set have {own_shares.LEAST} cells or more" in PAGE
    assert f"as many cells as the smallest of them has, {own_shares.LARGEST:,} at most" in PAGE
