# ---
# jupyter:
#   datamix:
#     reads: [data_manifest.yaml, corpora]
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
# # Figure 1: the framework
#
# What should a generative model of single cells be trained on?
# The paper takes human haematopoiesis, where cell states and their order are known, trains the same model on different mixtures of data, and asks each what it can say of cells that it has not seen.
# This page draws the framework from the very profile and manifest that the rest of the book was computed from.
#
# **Input:** `config/<profile>.yaml`, `data_manifest.yaml`, and the sizes of the corpora, which decide how many controls there are.
# **Output:** panels 1a–1d.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd
from IPython.display import Markdown

from datamix.figures import framework
from datamix.project.manifest import read_manifest
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.publishing.values import record
from datamix.publishing.words import counted

results = Results(profile, notebook="framework", reads=[])
settings = results.profile
manifest = read_manifest(results.root, results.profile)

# %% [markdown]
# ## Training sources on the haematopoietic tree

# %%
titles = {dataset: manifest.dataset(dataset).title for dataset in settings.training_datasets}
sources = framework.training_sources(settings, titles)
save_panel(
    framework.tree(sources, settings),
    "1a",
    data=sources,
    alt="Haematopoietic tree from the embryonic stem cell to mature blood cells; marks stand under the states that "
    f"each training source covers: {', '.join(sources['label'])}.",
    caption="**The haematopoietic tree and the training sources.** A mark under a state: the source of that shape and colour covers it.",
    results=results,
)

# %% [markdown]
# ```{panel} 1a
# ```
#
# Each baseline (here {val}`framework.baselines`) gives {val}`framework.mixtures` mixtures: the baseline alone{val}`framework.with_added` and, as the control, the baseline with more of its own cells{val}`framework.controls`.
# A training block holds {val}`framework.block`.

# %% tags=["remove-cell"]
cells = settings.cells if settings.cells == "all" else f"{settings.cells:,}"
block = "all cells that there are of its set" if settings.cells == "all" else f"{cells} cells"
record("framework.block", block, unit="", results=results)
record("framework.baselines", counted(len(settings.baselines), "baseline"), unit="", results=results)
mixtures = results.mixtures(next(iter(settings.baselines)))
others = sum(m.group == "control" for m in mixtures)
record("framework.mixtures", len(mixtures) - others, unit="mixtures", results=results)
more = (
    f"; and {others} such controls more, of the sizes of the added sets, where these are not a block" if others else ""
)
with_added = ", each added set alone, the baseline with each added set," if settings.added else ""
record("framework.with_added", with_added, unit="", results=results)
record("framework.controls", more, unit="", results=results)
record("framework.evaluations", counted(len(settings.evaluations), "evaluation set"), unit="", results=results)
named = settings.evaluations.values()
cells_too = [e.label for e in named if e.shares_cells_with and settings.protocol == "published"]
donors = [e.label for e in named if e.shares_donors_with]
but = f", but for what the published protocol allows: {', '.join(cells_too)}" if cells_too else ""
record("framework.shared_cells", but, unit="", results=results)
same = f"Donors of training sets are allowed in: {', '.join(donors)}; a gain there is none on unseen donors."
none = "The profile allows no donor of training in them."
record("framework.shared_donors", same if donors else none, unit="", results=results)
record("framework.seeds", len(settings.seeds), unit="seeds", results=results)
record("framework.trained", counted(len(settings.seeds), "trained seed"), unit="", results=results)
record("framework.epochs", settings.training.max_epochs, unit="epochs", published=250, results=results)
models = sum(len(settings.seeds) * len(results.mixtures(baseline)) for baseline in settings.baselines)
record("framework.models", models, unit="models", results=results)
record("framework.n_top_genes", settings.scoring.n_top_genes, unit="genes", results=results)

# %% [markdown]
# ## The model
#
# The LDVAE is a variational autoencoder whose decoder is linear: every factor has one loading for every gene, so that what a factor means can be read off its genes {cite:p}`svensson2020`.

# %%
n_latent, n_layers = settings.training.n_latent, settings.training.n_layers
model = pd.DataFrame(
    [
        ("Counts X", "cells × genes", "raw counts of a mixture"),
        ("Encoder", f"{n_layers} × 128, ReLU", "on log(1 + x); BatchNorm,\ndropout 0.1"),
        ("Factors Z", f"cells × {n_latent}", "one sample of N(μ, Σ)"),
        ("Decoder W", f"{n_latent} × genes", "linear, without bias;\nBatchNorm, softmax"),
        ("Shares ρ", "cells × genes", "expected share of each gene;\ncounts negative binomial"),
    ],
    columns=["part", "shape", "meaning"],
)
save_panel(
    framework.ldvae(model),
    "1b",
    data=model,
    alt="The linearly decoded variational autoencoder: counts, encoder, factors, linear decoder, shares of genes.",
    caption="**The linearly decoded variational autoencoder (LDVAE).**",
    results=results,
)

# %% [markdown]
# ```{panel} 1b
# ```
#
# ## Evaluation sets
#
# Models are scored on {val}`framework.evaluations`; before any is trained, their cells are compared with its own where both come from one source, and the run stops if they share one{val}`framework.shared_cells`.
# {val}`framework.shared_donors`

# %%
sets = pd.DataFrame(
    [
        {"evaluation": name, "label": e.label, "group": e.group, "dataset": e.dataset, "note": e.note}
        for name, e in settings.evaluations.items()
    ]
)
save_panel(
    framework.evaluation_sets(sets, settings),
    "1c",
    data=sets,
    alt=f"The evaluation sets by group: {', '.join(sets['label'])}.",
    caption="**Evaluation sets**, from what resembles the training cells to what does not.",
    results=results,
)

# %% [markdown]
# ```{panel} 1c
# ```
#
# ## Strategy

# %%
plan = pd.DataFrame(
    [
        ("How well are cells predicted?", "Reconstruction R² of every evaluation cell, against the baseline and a control", "Figures 2, S2, S4, S6"),
        ("What do latent spaces hold?", "Embedding uniqueness: what one model's latent space has and another's lacks", "Figure 3"),
        ("Which genes carry it?", "Ranked loadings of the factors, and enriched gene sets", "Figure 4"),
    ],
    columns=["question", "measure", "where"],
)  # fmt: skip
save_panel(
    framework.strategy(plan),
    "1d",
    data=plan,
    alt="The three questions of the paper, and what is computed for each.",
    caption="**The analysis strategy**: three questions asked of every model.",
    results=results,
)

# %% [markdown]
# ```{panel} 1d
# ```
#
# ## What this profile lacks

# %% tags=["hide-input"]
lacking = pd.Series(settings.missing, name="why", dtype=str).rename_axis("part of the paper")
nothing = Markdown("Nothing: every part of the paper has a counterpart here.")
show_table(lacking.reset_index(), index=False) if len(lacking) else nothing

# %% [markdown]
# ## Use it on your own data
#
# The drawing follows the profile: copy `config/demo.yaml`, name your datasets and what states they cover, and run `make figure FIG=framework PROFILE=yours`.

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
