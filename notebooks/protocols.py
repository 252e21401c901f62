# ---
# jupyter:
#   datamix:
#     reads: [corpora, data_manifest.yaml]
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
# # Figure S5: two protocols
#
# What do the faults of the published scripts change?
# The protocol `published` does what the scripts do, `corrected` mends each fault in one place.
# Here both run on small simulated files, made so that each fault shows.
# The number of this figure is ours.
#
# **Input:** none for the faults; for the leakage guard the corpora of the profile (`corpora/*.h5ad`).
# **Output:** panel S5a, the comparison of training and evaluation cells, and the counts that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
import logging

import pandas as pd

from datamix.corpora.corpus import n_cells
from datamix.corpora.leakage import require_no_leak
from datamix.corpora.mixtures import draw_blocks
from datamix.publishing.panels import save_panel
from datamix.figures.labels import evaluation_label
from datamix.figures.protocols import faults
from datamix.analysis.protocol_faults import demonstrate, screen_cells_that_differ
from datamix.publishing.results import Results
from datamix.publishing.values import record
from datamix.publishing.website.text import show_table

logging.getLogger("datamix").setLevel(logging.ERROR)  # what the published protocol leaves out is meant here
results = Results(profile, notebook="protocols")
settings = results.profile

# %% [markdown]
# ## What each fault changes

# %%
shown = demonstrate()
save_panel(
    faults(shown),
    "S5a",
    data=shown,
    alt=f"For {len(shown)} faults of the published scripts, the share of cells, donors or genes that the fault concerns, "
    "as an open circle for the published and a filled one for the corrected protocol.",
    caption="**What each fault changes**, on simulated files made to show it. In brackets the fault's number. "
    "Faults 7, 8 and 12 cannot be repeated at all: two runs are compared. Fault 11 is one step, shown alone.",
    results=results,
)

# %% [markdown]
# ```{panel} S5a
# ```
#
# Each of the {val}`protocols.faults` faults shows in the files that were made for it; how much it changes in the published data is not known from this.
# Faults 7, 8 and 12 cannot be done as published, because no two runs of the scripts agree: an order of genes, and draws without a seed.
# There both protocols have a fixed order or a seed.
#
# 1. The evaluation script loads the model of seed 0 whatever seed it is given: behind two seeds there is {val}`protocols.published_models` trained model.
# 2. Gene names are switched to Ensembl ids before mitochondrial genes are looked for, so that {val}`protocols.damaged` of {val}`protocols.damaged_whole` damaged cells stay in the blood evaluation.
# 3. Bone-marrow files may hold log-normalised values, as their names suggest; published, they are taken for counts, corrected, they are refused by name.
# 4. Cells for evaluation are left out of the atlas by names that start again in every piece of the file: other cells go, and {val}`protocols.leaked` of {val}`protocols.leaked_whole` evaluation cells stay.
# 5. Splits are random over cells, so that donors are on both sides; corrected, about one donor in five is held out of all training, chosen by a hash of the name.
# 6. The symbol of a transcription factor is cut at its hyphen, and the cells of NKX2-1 are lost.
# 7. Shared genes are ordered by a Python set: between two runs of it, {val}`protocols.ordered` of {val}`protocols.ordered_whole` genes kept their place. Here they are sorted, under both protocols.
# 8. The draw of neurons has no seed: two draws share {val}`protocols.redrawn` of {val}`protocols.redrawn_whole` cells. Here it has one, under both protocols.
# 9. Studies of the cancer atlas that lie in sub-folders are passed over.
# 10. R² has no sign: {val}`protocols.wrong_way` of {val}`protocols.wrong_way_whole` cells that are predicted the wrong way round count as fits. The scores of this book keep r beside R².
# 11. Metadata of the perturbation screen are assigned by position, after a check of the names that is only printed: {val}`protocols.mixed_up` of {val}`protocols.mixed_up_whole` cells would get the target of another if they were out of order, and nothing would stop the run. Just before, though, the scripts put the cells into the order of the reference by their names. The fault is therefore latent: read under both protocols, {val}`protocols.screen_differs` cells of the screen differ.
# 12. The cells of the zero-shot evaluation are drawn without a seed: two draws share {val}`protocols.zero_shot` of {val}`protocols.zero_shot_whole` cells. Its input file is also overwritten in place, with other gene names; here inputs are only read, and a corpus records the hash of each.
# 13. The Atlas Baseline holds neurons of other donors, so that neurons are not out of its distribution.
# 14. Cells of the cancer atlas pass QC or not by the genes that all studies in a tissue's folder share: beside a study on fewer genes, {val}`protocols.beside` of {val}`protocols.beside_whole` carcinoma cells pass. Which cells are used depends on what else was downloaded. Corrected, the studies that a set is made of decide alone.
# 15. Gene symbols of the carcinoma are looked up in a training file, which holds only the genes that all training sources share, and QC comes after: {val}`protocols.after_training` of {val}`protocols.after_training_whole` of its cells pass where training had few genes. The cells of an evaluation set depend on the training sources. Corrected, they are measured on all genes of their study.

# %% tags=["remove-cell"]
by_fault = shown.set_index("fault")
record("protocols.faults", len(shown), unit="faults", results=results)
record("protocols.published_models", int(by_fault.loc[1, "published"]), unit="models", results=results)
counted = {"damaged": 2, "leaked": 4, "ordered": 7, "redrawn": 8, "wrong_way": 10, "mixed_up": 11, "zero_shot": 12}
counted |= {"beside": 14, "after_training": 15}
for name, fault in counted.items():
    unit = "genes" if name == "ordered" else "cells"
    record(f"protocols.{name}", int(by_fault.loc[fault, "published"]), unit=unit, results=results)
    record(f"protocols.{name}_whole", int(by_fault.loc[fault, "whole"]), unit=unit, results=results)
record("protocols.screen_differs", screen_cells_that_differ(), unit="cells", results=results)

# %% [markdown]
# ## The leakage guard
#
# Before any model is trained, its cells are compared with those of every evaluation set of the same source: cells by the name that the source gives them and, under the corrected protocol, donors, too.
# The run stops if any is shared, unless the profile says why it may be; shared cells it may allow under the published protocol only, to repeat fault 4.
# {val}`protocols.guarded`

# %%
sizes = {d: n_cells(results.layout.corpus(d)) for d in settings.training_datasets}
rows = [
    (c.evaluation, c.training, f"{c.what}s", c.compared, len(c.shared), c.reason or "")
    for baseline in settings.baselines
    for c in require_no_leak(results.layout, draw_blocks(settings, baseline, seed=settings.seeds[0], sizes=sizes))
]
columns = ["evaluation", "training", "what", "compared", "shared", "allowed because"]
compared = pd.DataFrame(rows, columns=columns)
per_set = compared.drop_duplicates(["evaluation", "training", "what"]).groupby(["evaluation", "what"], sort=False)
summed = per_set.agg(
    {"compared": "max", "training": "nunique", "shared": "sum", "allowed because": "max"}
).reset_index()
summed["evaluation"] = [evaluation_label(name, profile=settings) for name in summed["evaluation"]]
names = {
    "evaluation": "Evaluation set",
    "what": "Compared",
    "compared": "In the set",
    "training": "Training sets compared with",
    "shared": "Shared",
    "allowed because": "Allowed because",
}
show_table(summed.rename(columns=names), "{:,}", index=False)

# %% tags=["remove-cell"]
shared = compared[compared["shared"] > 0]["evaluation"].nunique()
n = compared["evaluation"].nunique()
record("protocols.comparisons", n, unit="evaluation sets", results=results)
if n:
    exceptions = f"{shared} shares what the profile allows" if shared else "nothing is shared"
    have = "evaluation set has" if n == 1 else "evaluation sets have"
    guarded = f"In this profile, {n} {have} a source in common with training sets; of these, {exceptions}."
else:
    guarded = "In this profile, no evaluation set has a source in common with training sets, so that there is nothing to compare."
record("protocols.guarded", guarded, unit="", results=results)

# %% [markdown]
# ## Use it on your own data
#
# `protocol: published` in a profile switches all of it.
# Datasets of one `source` in `data_manifest.yaml` are compared by the guard; `shares_donors_with` in the profile is where an exception gives its reason, and `shares_cells_with` where a leak of the published protocol does.

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
