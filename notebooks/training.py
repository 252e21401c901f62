# ---
# jupyter:
#   datamix:
#     reads: [models]
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
from datamix.figures import training
from datamix.figures import labels
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.analysis.summary import last_improvement
from datamix.publishing.values import record

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
    "Solid: a set alone; dashed: baseline + added set. The weight of the KL term still rises, over 400 epochs.",
    results=results,
)

# %% [markdown]
# ```{panel} S3a
# ```
#
# All {val}`training.models` models were trained for {val}`training.epochs` epochs (the paper: {val}`training.epochs|published`), with trainer {val}`training.trainer`, in {val}`training.minutes:.1f` minutes of processor time in all.
# Over the last tenth of the epochs the held-out loss still changed by {val}`training.last_change:.2%` in the median model, and by {val}`training.last_change_max:.2%` in the one that changed most; {val}`training.not_finite` of them have no finite held-out loss.
#
# Two things confound composition with training, in the paper and here.
# The weight of the KL term rises over 400 epochs and ends at {val}`training.kl_weight:.2f`, so that no model is trained on the full bound.
# And an epoch of a mixture holds more cells than one of its baseline: in the median, {val}`training.steps_ratio:.1f` times the gradient steps.
# The control, the baseline with more of its own cells, is the only mixture that tells the two apart.

# %% tags=["remove-cell"]
epochs = results.profile.training.max_epochs
change = last_improvement(history)
record("training.not_finite", int(change.isna().sum()), unit="models", results=results)
record("training.models", len(models), unit="models", results=results)
record("training.epochs", epochs, unit="epochs", published=250, results=results)
record("training.trainer", ", ".join(models["trainer"].unique()), unit="", results=results)
record("training.minutes", models["seconds"].sum() / 60, unit="minutes", results=results)
record("training.last_change", change.abs().median(), unit="fraction of the held-out loss", results=results)
record("training.last_change_max", change.abs().max(), unit="fraction of the held-out loss", results=results)
record("training.kl_weight", min(1.0, (epochs - 1) / 400), unit="weight", published=249 / 400, results=results)
sizes = models.set_index(["baseline", "mixture", "seed"])["cells"]
ratios = [
    sizes[b, m, s] / sizes[b, b, s] for b, m, s in sizes.index if "+" in m
]  # fmt: skip
record("training.steps_ratio", sorted(ratios)[len(ratios) // 2], unit="× the baseline's", results=results)

# %% [markdown]
# ## Every model

# %% tags=["hide-input"]
models.pivot(index=["baseline", "mixture"], columns="seed", values=["cells", "seconds"]).style.format("{:,.0f}")

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
