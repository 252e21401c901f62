import numpy as np
import pandas as pd

from datamix.publishing.seed_words import agreement_in_words, convergence_in_words, rates_in_words, seed_spread_in_words


def test_agreement_is_of_cells_under_two_seeds():
    pairs = pd.DataFrame(
        {
            "evaluation": "blood",
            "mixture": ["alike"] * 3 + ["turned"] * 3 + ["alone"],
            "first": [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.4],
            "second": [0.2, 0.4, 0.6, 0.3, 0.2, 0.1, 0.4],
        }
    )
    assert agreement_in_words(pairs).endswith("is 0.00 in the median and −1.00 at its lowest.")
    assert "too few are in common" in agreement_in_words(pairs[pairs["mixture"] == "alone"])
    assert "too few are in common" in agreement_in_words(pairs.iloc[:0])


def medians_of_seeds(mixtures):
    return pd.DataFrame(
        [
            {"mixture": m, "mixture_label": m.upper(), "evaluation_label": "E", "seed": s, "median": median}
            for m, medians in mixtures.items()
            for s, median in enumerate(medians)
        ]
    )


def test_seeds_span_most_in_a_set_alone_and_most_among_the_others():
    medians = medians_of_seeds({"a": [0.1, 0.2, 0.4], "b": [0.1, 0.15, 0.2], "b+a": [0.5, 0.5, 0.5]})
    told = seed_spread_in_words(medians, baseline="b", intervals="Figure 2")
    assert told.startswith("The medians of the 3 seeds of a mixture span 0.100 in the median over")
    assert (
        "at most 0.300, for A, trained alone, on E; those of a mixture that holds the baseline, at most 0.100" in told
    )
    assert told.endswith("is told by the intervals of Figure 2, which hold this scatter.")
    assert seed_spread_in_words(medians, baseline="a", intervals="").endswith("at most 0.300, for A on E.")
    assert seed_spread_in_words(medians.assign(median=np.nan), baseline="b", intervals="Figure 2") == ""


def changed(**columns):
    rows = {
        "label": ["M", "N"],
        "baseline_label": "B",
        "is_control": [True, False],
        "seed": 0,
        "before": 49,
        "last": 59,
    }
    return pd.DataFrame(rows | {"fall": [0.25, -0.005], "rise": [0.5, np.nan], "peak": [12, 2_000]} | columns)


def test_what_still_changes_is_told_with_its_epochs_and_the_model_that_changes_most():
    told = convergence_in_words(changed(), epochs=60, every=10)
    assert told.startswith(
        "Between epoch 50 and epoch 60 of 60, the held-out loss changed by 12.8% in the median model"
    )
    assert "more than 1 % in 1 of 2; it fell in 1." in told
    most = "most in M (B Baseline, seed 0), where it fell by 25.0%, after a rise of 50.0%. Added sets are held against"
    assert most in told
    assert told.endswith(" Models whose held-out loss was once more than 1,000 times what it was at the end: 1.")
    assert "without two finite" not in told
    one = convergence_in_words(changed(fall=[np.nan, -0.5]), epochs=60, every=10)
    assert (
        "loss of N (B Baseline, seed 0) rose by 50.0%. Models without two finite held-out losses to compare: 1."
    ) in one
    assert "too seldom" in convergence_in_words(changed(fall=np.nan), epochs=5, every=10)


def test_a_measured_rate_is_held_against_the_designed_one():
    told = rates_in_words({2: 0.0, 3: 0.07, 5: 0.44}, tables=100, designed=0.05)
    assert "0.0% to 3.6% with 2 seeds, below it; 2.9% to 13.9% with 3 seeds, compatible with it;" in told
    assert told.endswith("with 5 seeds, above it.")
