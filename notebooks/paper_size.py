# ---
# jupyter:
#   datamix:
#     reads: [results/bench/*.json, recorded/bench/*.json]
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
# # The paper's size, rehearsed
#
# Does the paper's own run fit a machine of {val}`paper_size.memory:.0f` GB?
# Its files were not at hand when this was measured, so files in their layouts were simulated at two sizes, and taken through the steps below: preparation, the choice of genes, the draw of mixtures with one epoch of training, and scoring.
# Training ran at a lower learning rate than the paper's, at which counts without structure diverge; neither time nor memory depends on it.
# What a step takes at full size is read off the line through both sizes: calculated, not run.
#
# **Input:** `results/bench/rehearsal.json`, which `make rehearse` writes on the reader's machine, else `recorded/bench/rehearsal.json`, kept with the project.
# **Output:** the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # only names where the values are filed: the rehearsal is the same for all profiles

# %%
from contextlib import suppress

from datamix.analysis import rehearsal
from datamix.project.errors import NotInProfileError
from datamix.project.provenance import short_commit
from datamix.publishing.recorded import read_benchmark
from datamix.publishing.results import Results
from datamix.publishing.values import record
from datamix.publishing.website.text import show_table

results = Results(profile, notebook="paper_size", reads=[])
rehearsed = None
with suppress(NotInProfileError):
    rehearsed = read_benchmark(results.root, "rehearsal")
in_full = None if rehearsed is None else rehearsal.with_scoring_in_full(rehearsed)

# %% [markdown]
# {val}`paper_size.found`
# {val}`paper_size.scoring`
# Not rehearsed are mixtures by shares, which train as the others do, read-outs, cell types left out of training, simple models, Geneformer, and the pages; `datamix plan --profile paper` estimates their times from those of smaller runs.

# %% tags=["hide-input"]
show_table(rehearsal.steps_in_words(in_full), index=False) if in_full is not None else None

# %% [markdown]
# {val}`paper_size.whose`

# %% tags=["remove-cell"]
record("paper_size.memory", rehearsal.MEMORY_GB, unit="GB", results=results)
record("paper_size.found", rehearsal.fits(in_full), unit="", results=results)
record("paper_size.scoring", rehearsal.scoring_in_words(rehearsed), unit="", results=results)
whose = ""
if rehearsed is not None:
    about = rehearsed.attrs
    where = "Measured on this machine" if about["measured_here"] else "Recorded with the project, measured"
    whose = (
        f"{where} on {about['date']} (UTC): {about['hardware']['cores']} cores, "
        f"{about['hardware']['processor']}, commit {short_commit(about['commit'])}."
    )
record("paper_size.whose", whose, unit="", results=results)
