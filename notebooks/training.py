# ---
# jupyter:
#   datamix:
#     reads: [models, corpora]
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure S3: training
#
# Has training converged, and does a mixture get more of it than its baseline?
# The number of this figure is ours.
#
# **Input:** the training history and provenance of every model (`models/`).
# **Output:** panel S3a, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd

from datamix.corpora.controls import SIZE_TOLERANCE
from datamix.corpora.mixtures import control_of
from datamix.figures import training
from datamix.figures import labels
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.analysis.summary import last_improvement
from datamix.publishing.values import record
from datamix.publishing.seed_words import convergence_in_words
from datamix.publishing.words import range_in_words

results = Results(profile, notebook="training")
history = results.history()
models = results.training()

# %%
curves = history[["baseline", "mixture", "seed", "epoch", "elbo_train", "elbo_validation"]]
save_panel(
    training.training_curves(labels.label_mixtures(curves, results.profile), results.profile),
    "S3a",
    data=curves,
    alt="Negative evidence lower bound of every model against epochs, on training cells and on held-out cells.",
    caption="**Training curves** of all models and seeds. Held-out cells: a tenth of the mixture. "
    "Solid: a set alone; dashed: baseline + added set. The weight of the KL term rises over 400 epochs.",
    results=results,
)

# %% [markdown]
# ```{panel} S3a
# ```
#
# Each of {val}`training.models` models was trained for {val}`training.epochs` epochs (the paper: {val}`training.epochs|published`), with trainer {val}`training.trainer`, in {val}`training.minutes:.1f` minutes, added up over models; several may have been trained at a time.{val}`training.shared`
# {val}`training.held_out`
# A model whose loss still changes has not converged: what is compared are models after the same number of epochs, here as in the paper, not models at their best.
#
# Two things confound composition with training, in the paper and here.
# The weight of the KL term rises over 400 epochs and ends at {val}`training.kl_weight:.2f`, so that {val}`training.bound`.
# And an epoch of a baseline with cells added holds more cells than one of the baseline: {val}`training.steps_ratio_range` times as many, and so gradient steps{val}`training.steps_ratio_median`.
# The control, the baseline with more of its own cells, is the only mixture that tells the two apart, and only where it is of the same size.

# %% tags=["remove-cell"]
epochs = results.profile.training.max_epochs
change = last_improvement(history)
shared = " Those of the added sets alone serve all baselines." if len(models) < len(change) else ""
record("training.shared", shared, unit="", results=results)
change = change.merge(models[["baseline", "mixture", "seed"]])
bound = "no model is trained on the full bound" if epochs <= 400 else "models are trained on the full bound at the end"
record("training.bound", bound, unit="", results=results)
record("training.models", len(models), unit="models", results=results)
record("training.epochs", epochs, unit="epochs", published=250, results=results)
record("training.trainer", ", ".join(models["trainer"].unique()), unit="", results=results)
record("training.minutes", models["seconds"].sum() / 60, unit="minutes", results=results)
controls = {m.name for b in results.profile.baselines for m in results.mixtures(b) if m.is_control}
change = change.assign(
    label=[labels.mixture_label(m, profile=results.profile) for m in change["mixture"]],
    baseline_label=[results.profile.baselines[b].label for b in change["baseline"]],
    is_control=change["mixture"].isin(controls),
)
held_out = convergence_in_words(change, epochs=epochs, every=results.profile.training.check_val_every_n_epoch)
record("training.held_out", held_out, unit="", results=results)
record("training.kl_weight", min(1.0, (epochs - 1) / 400), unit="weight", published=249 / 400, results=results)

# %% [markdown]
# ## Controls
#
# Which control each gain is held against: the published one, a block of the baseline's second half, where it makes the mixture and its control alike in size to within {val}`training.size_tolerance:.0%`; otherwise one that adds as many cells as the set does (ours).
# The number of such controls is {val}`training.controls`.
# {val}`training.furthest` {val}`training.short`

# %% tags=["hide-input"]
held = [
    {
        "Mixture": labels.mixture_label(m.name, profile=results.profile),
        "Cells": m.cells,
        "Held against": labels.mixture_label(control_of(mixtures, m.name).name, profile=results.profile),
        "Its cells": control_of(mixtures, m.name).cells,
        "baseline": baseline,
        "own": control_of(mixtures, m.name).group == "control",
    }
    for baseline in results.profile.baselines
    for mixtures in [results.mixtures(baseline)]
    for m in mixtures
    if m.is_addition
]
held = pd.DataFrame(held, columns=["Mixture", "Cells", "Held against", "Its cells", "baseline", "own"])
held["Difference"] = held["Cells"] / held["Its cells"] - 1
shown = held[["Mixture", "Cells", "Held against", "Its cells", "Difference"]]
but = {"Cells": "{:,}", "Its cells": "{:,}", "Difference": "{:+.1%}"}
show_table(shown, but=but, index=False) if len(held) else None

# %% tags=["remove-cell"]
listed = [results.mixtures(baseline) for baseline in results.profile.baselines]
steps = pd.Series([m.cells / of[0].cells for of in listed for m in of if m.group == "added"])
for name, value in (("", steps.median()), ("_min", steps.min()), ("_max", steps.max())):
    record(f"training.steps_ratio{name}", value, unit="× the baseline's cells", results=results)
record("training.steps_ratio_range", range_in_words(steps.min(), steps.max(), spec=".2f"), unit="", results=results)
in_median = f", {steps.median():.2f} in the median" if f"{steps.min():.2f}" != f"{steps.max():.2f}" else ""
record("training.steps_ratio_median", in_median, unit="", results=results)
record("training.size_tolerance", SIZE_TOLERANCE, unit="of the smaller one's cells", results=results)
gap, text = held["Difference"].abs(), "Nothing is added in this profile."
if len(held) and not gap.max():
    text = "Each mixture has as many cells as its control."
elif len(held):
    text = (
        "The largest difference in size between a mixture and its control is "
        f"{gap.max():.1%} of the control's cells, that of {held.loc[gap.idxmax(), 'Mixture']}."
    )
record("training.size_gap", gap.max() if len(held) else 0.0, unit="of the control's cells", results=results)
record("training.furthest", text, unit="", results=results)
controls = held.loc[held["own"], ["baseline", "Held against"]].drop_duplicates()
record("training.controls", len(controls), unit="mixtures", results=results)
short = held[held["Difference"] > SIZE_TOLERANCE]
names = ", ".join(short["Mixture"])
text = "None is smaller for want of cells." if len(held) else ""
smaller = (
    f"Smaller than it should be, for want of cells in the second half of the baseline's corpus, is that of {names}."
)
record("training.short", smaller if len(short) else text, unit="", results=results)

# %% [markdown]
# ## Every model

# %% tags=["hide-input"]
show_table(models.pivot(index=["baseline", "mixture"], columns="seed", values=["cells", "seconds"]), "{:,.0f}")

# %% [markdown]
# ## Use it on your own data
#
# Every model opens with scvi-tools:
#
# ```python
# from datamix.ldvae.model import load
# from pathlib import Path
#
# model = load(Path("results/demo/models/blood/seed0/blood+tf_atlas"))
# model.get_loadings()
# ```

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
