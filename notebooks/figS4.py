# ---
# jupyter:
#   datamix:
#     reads: [scores, corpora]
#     needs: {baselines: 2, added: true}
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
# # Figure S4: the same, from an atlas of all tissues
#
# Is what an added set brings still new to a model that has already seen every normal tissue?
# The second baseline, the atlas in the paper, replaces blood by cells of all normal tissues, bone marrow included; everything else is as in Figure 2.
# No published values are known for it.
#
# **Input:** per-cell scores (`scores/reconstruction.parquet`).
# **Output:** panels S4a and S4b, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # which data and settings: demo | mini | paper, or the name of another file in config/

# %%
from datamix.figures import labels
from datamix.figures import reconstruction
from datamix.publishing.panels import save_panel
from datamix.publishing.results import Results
from datamix.publishing.website.text import plain
from datamix.analysis.summary import by_cell_type, summarise
from datamix.publishing.values import record
from datamix.publishing.gain_words import changes_in_words, furthest_in_words, pairs_in_words
from datamix.publishing.words import over_seeds

results = Results(profile, notebook="figS4")
baseline = results.baselines[1]
first, second = (labels.mixture_label(b, profile=results.profile) for b in results.baselines[:2])

# %%
mixtures = results.mixtures(baseline)
scores = results.scores(baseline)
summary = labels.label_mixtures(summarise(scores, mixtures), results.profile)
save_panel(
    reconstruction.heat_map(summary),
    "S4a",
    data=summary,
    alt=f"Heat map of the median reconstruction R² of {len(mixtures)} models on {summary['evaluation'].nunique()} "
    f"evaluation sets; colour is the log2 fold change against the {second} Baseline.",
    caption=f"**Reconstruction R² of the {plain(second)} Baseline.** Median over cells, {over_seeds(len(results.profile.seeds))}, printed; "
    "colour: log2 fold change against the baseline.",
    results=results,
)

# %% [markdown]
# ```{panel} S4a
# ```

# %% tags=["remove-cell"]
for row in summary.itertuples():
    record(f"figS4.{row.evaluation}.{row.mixture}", row.median, unit="median R²", results=results)
additions = summary[summary["mixture"].isin([m.name for m in mixtures if m.is_addition])]
best = additions.loc[additions["over_control"].idxmax()]
base = summary[summary["group"] == "baseline"].set_index("evaluation")
record("figS4.counted", pairs_in_words(additions), unit="", results=results)
record("figS4.furthest", furthest_in_words(additions, base["median"]), unit="", results=results)
blood = summarise(results.scores(results.baselines[0]), results.mixtures(results.baselines[0]))
starts = [table[table["group"] == "baseline"].set_index("evaluation")["median"] for table in (blood, summary)]
change = (starts[1] - starts[0]).rename(lambda e: results.profile.evaluations[e].label)
record("figS4.first", first, unit="", results=results)
record("figS4.second", second, unit="", results=results)
record("figS4.start", changes_in_words(change), unit="", results=results)

# %% [markdown]
# Against the {val}`figS4.first` Baseline, starting from the {val}`figS4.second` Baseline changes the median R² {val}`figS4.start`; these changes have no intervals.
# Each added set is held against the {val}`figS4.second` Baseline with as many more of its own cells.
# {val}`figS4.counted` {val}`figS4.furthest`
#
# ## Cell by cell type

# %%
shown = [baseline, best["mixture"]]
types = by_cell_type(scores[scores["mixture"].isin(shown)])
types = labels.label_mixtures(types, results.profile)
save_panel(
    reconstruction.cell_types(types, results.profile, shown=shown),
    "S4b",
    data=types,
    alt=f"Median and quartiles of the R² of cells of each cell type for {' and '.join(shown)}.",
    caption=f"**Reconstruction R² of each cell type**, {plain(second)} Baseline: "
    "median and quartiles over cells and seeds, types sorted by the baseline.",
    results=results,
)

# %% [markdown]
# ```{panel} S4b
# ```
#
# ## Use it on your own data
#
# The Atlas Baseline is a second entry under `baselines` in the profile; `make figure FIG=figS4 PROFILE=yours` draws it.

# %% tags=["hide-input"]
from datamix.project.provenance import versions

versions()
