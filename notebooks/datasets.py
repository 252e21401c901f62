# ---
# jupyter:
#   datamix:
#     reads: [corpora, genes, data_manifest.yaml]
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
# # Figure S1: datasets and quality control
#
# Which cells enter, and which are left out?
# The paper keeps cells with more than 1,000 counts and less than a tenth of them mitochondrial; its scripts mean to do so everywhere, and one fault of theirs leaves a set without the second filter ([Figure S5](protocols)).
# The number of this figure is ours.
#
# **Input:** the corpora (`corpora/*.h5ad`).
# **Output:** panels S1a and S1b, and the counts that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import pandas as pd

from datamix.corpora.prepare import NOT_RECORDED
from datamix.figures import datasets
from datamix.project.manifest import read_manifest
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import plain, show_table
from datamix.publishing.values import record
from datamix.sources.formats.cell_labels import NOT_LABELLED

results = Results(profile, notebook="datasets")
manifest = read_manifest(results.root, results.profile)
qc = results.profile.qc

# %% [markdown]
# ## Cells kept
#
# A cell is kept where its total counts are above {val}`datasets.min_counts:,.0f` and its mitochondrial fraction is below {val}`datasets.max_mito:.0%`, both on the source's own full set of genes.

# %%
made = {dataset: results.corpus_record(dataset) for dataset in results.profile.datasets}
kept = pd.DataFrame(
    [
        {
            "dataset": dataset,
            "title": manifest.dataset(dataset).title,
            "role": "training" if dataset in results.profile.training_datasets else "evaluation",
            "read": record_["cells_read"],
            "kept": record_["cells_kept"],
        }
        for dataset, record_ in made.items()
    ]
)
save_panel(
    datasets.cells_kept(kept),
    "S1a",
    data=kept,
    alt=f"Bars of the number of cells read and kept by quality control in {len(kept)} datasets.",
    caption="**Cells kept by quality control**, of all cells that the sources hold.",
    results=results,
)

# %% [markdown]
# ```{panel} S1a
# ```
#
# In all, {val}`datasets.kept:,d` of {val}`datasets.read:,d` cells are kept.
# {val}`datasets.worst`
# The models see the {val}`datasets.genes:,d` genes that all training corpora share{val}`datasets.genes_note`.

# %% tags=["remove-cell"]
record("datasets.min_counts", qc.min_counts, unit="counts", published=1000, results=results)
record("datasets.max_mito", qc.max_mito, unit="fraction", published=0.1, results=results)
record("datasets.read", int(kept["read"].sum()), unit="cells", results=results)
record("datasets.kept", int(kept["kept"].sum()), unit="cells", results=results)
share = (kept["kept"] / kept["read"]).to_numpy()
worst = f"The dataset that loses most is {plain(kept['title'][share.argmin()])}, of which {share.min():.1%} are kept."
record("datasets.worst", worst if share.min() < 1 else "No dataset loses a cell.", unit="", results=results)
record("datasets.worst.name", kept["title"][share.argmin()], unit="", results=results)
record("datasets.worst.share", share.min(), unit="fraction of cells", results=results)
record("datasets.genes", len(results.genes()), unit="genes", results=results)
most_variable = results.profile.most_variable_genes
note = (
    ""
    if most_variable is None
    else f" and that are among the {most_variable:,} most variable of them (a setting of the profile)"
)
record("datasets.genes_note", note, unit="", results=results)

# %% [markdown]
# ## Depth and mitochondrial fraction

# %%
cells = pd.concat(
    [results.corpus_obs(d)[["total_counts", "mito_fraction"]].assign(dataset=d) for d in results.profile.datasets]
)
quantiles = cells.groupby("dataset", sort=False).quantile([0.05, 0.25, 0.5, 0.75, 0.95])
quantiles = quantiles.rename_axis(["dataset", "quantile"]).reset_index()
save_panel(
    datasets.qc_distributions(quantiles, min_counts=qc.min_counts, max_mito=qc.max_mito),
    "S1b",
    data=quantiles,
    alt="Box plots of total counts and mitochondrial fraction of the kept cells of each dataset.",
    caption="**Total counts and mitochondrial fraction of the kept cells.** Boxes: quartiles; whiskers: 5th to 95th percentile; dotted: thresholds.",
    results=results,
)

# %% [markdown]
# ```{panel} S1b
# ```
#
# ## What each dataset is

# %% tags=["hide-input"]
# What has no label is no type, and a donor that is not recorded is none.
types, donors = (
    [len(set(results.corpus_obs(d)[column].astype(str)) - {none}) for d in kept["dataset"]]
    for column, none in (("cell_type", NOT_LABELLED), ("donor", NOT_RECORDED))
)
about = kept.assign(cell_types=types, donors=donors).set_index("dataset")
show_table(about[["title", "role", "kept", "cell_types", "donors"]], but={"kept": "{:,}"})

# %% [markdown]
# ## Use it on your own data
#
# `datamix new` writes a profile for files of your own, and `datamix inspect` says what is in them: [Your own cells](../your_cells).
# An entry in `data_manifest.yaml` names published files and their reader; `datamix prepare yours --profile yours` makes the corpus; `datamix data check` says what is there.

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
