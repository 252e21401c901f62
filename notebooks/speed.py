# ---
# jupyter:
#   datamix:
#     reads: [results/bench/*.json, recorded/bench/*.json, config/paper.yaml]
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
# # Figure S8: speed
#
# How fast is training, how fast is scoring, and how much of that is the machine's limit?
# "Ours" is the fast trainer and the scorer of this project, "stock" is `LinearSCVI.train` of scvi-tools.
# Ours has the objective, the optimiser and the file format of stock; only the arithmetic is reorganised, exactly.
# This figure has no counterpart in the paper.
#
# **Input:** `results/bench/*.json`, which `make bench` writes on the reader's machine, else `recorded/bench/*.json`, kept with the project.
# **Output:** panels S8a to S8d, and the values that the text quotes.

# %% tags=["parameters"]
profile: str = "demo"  # only names where the panels are filed: the benchmark is the same for all profiles

# %%
from contextlib import suppress

import numpy as np
import pandas as pd

from datamix.figures import speed
from datamix.project.errors import NotInProfileError
from datamix.publishing.recorded import read_benchmark
from datamix.publishing.panels import save_panel
from datamix.project.profile_files import read_profile
from datamix.project.provenance import short_commit
from datamix.publishing.results import Results
from datamix.publishing.website.text import show_table
from datamix.analysis.speed_targets import (
    NOT_MEASURED,
    found_in_words,
    in_words,
    judge,
    pretraining_in_words,
    what_was_measured,
)
from datamix.publishing.values import record
from datamix.publishing.seed_words import rates_in_words

results = Results(profile, notebook="speed", reads=[])
parts = {part: read_benchmark(results.root, part) for part in ("training", "together", "scoring", "optimum", "demo")}
for part in ("gpu", "geneformer", "pretraining"):  # `gpu` needs one, the others are measured by a command of their own
    with suppress(NotInProfileError):
        parts[part] = read_benchmark(results.root, part)
training, together, scoring = parts["training"], parts["together"], parts["scoring"]

# %% [markdown]
# ## Whose measurements these are
#
# They were made {val}`speed.whose`: {val}`speed.machine`, {val}`speed.date` (UTC).
# All cells are simulated, a tenth of their counts above zero.
# Stock and ours ran in turn within one run, up to {val}`speed.repeats` times each; what is quoted is the median, and in brackets the range over all pairs of repeats.
# Times of another machine differ; ratios less so.
#
# ## What was to be reached
#
# The targets were set before the measurement.

# %% tags=["hide-input"]
targets = judge(parts)


shown = pd.DataFrame(
    {
        "Target": targets["target"],
        "Wanted": [
            f"at most {in_words(most, most)}" if least != least else f"at least {in_words(least, least)}"
            for least, most in zip(targets["at_least"], targets["at_most"], strict=True)
        ],
        "Found": targets.apply(found_in_words, axis=1),
        "Measured at": targets["size"].fillna(""),
        "Verdict": targets["verdict"],
    }
)
show_table(shown, index=False)

# %% [markdown]
# Of {val}`speed.targets` targets {val}`speed.met` are met, {val}`speed.missed` missed and {val}`speed.not_measured` not measured.
# Missed: {val}`speed.which_missed`.

# %% tags=["remove-cell"]
verdicts = targets["verdict"].value_counts()
record("speed.targets", len(targets), unit="targets", results=results)
for key, verdict in (("met", "met"), ("missed", "missed"), ("not_measured", "not measured")):
    record(f"speed.{key}", int(verdicts.get(verdict, 0)), unit="targets", results=results)
missed = targets.loc[targets["verdict"] == "missed", "target"]
record("speed.which_missed", "; ".join(missed) or "none", unit="", results=results)
here = [table.attrs["measured_here"] for table in parts.values()]
whose = "partly on the machine that made this book, partly on another, as the table at the end says"
if all(here):
    whose = "on the machine that made this book"
elif not any(here):
    whose = "on the machine of the project's record, not on the one that made this book"
hardware = training.attrs["hardware"]
record("speed.whose", whose, unit="", results=results)
record("speed.machine", f"{hardware['processor']}, {hardware['cores']} cores", unit="", results=results)
record("speed.date", training.attrs["date"], unit="", results=results)
record("speed.repeats", max(len(runs["ours"]) for runs in training["repeats"]), unit="repeats", results=results)

# %% [markdown]
# ## Training one model
#
# One model was trained on one thread for two epochs, of which the second was timed, at several numbers of cells and genes.
# The dense matrix products that a step consists of were timed alone, in the same run: the measure of what the machine can do.
# A trainer with dense minibatches cannot be faster than these; ours, which takes the first layers over the non-zeros only, is not bound by them in principle, but sums over non-zeros use the processor less well.

# %%
names = {"stock": "stock", "ours": "ours", "products": "matrix products alone"}
rows = []
for grows, fixed in (("cells", "genes"), ("genes", "cells")):
    for _, size in training[training[fixed] == training[fixed].mode().iloc[0]].iterrows():
        for name, trainer in names.items():
            rate = 0.9 * size["cells"] / np.array(size["repeats"][name])  # nine tenths of the cells are trained on
            row = {"grows": grows, "cells": size["cells"], "genes": size["genes"], "trainer": trainer}
            row |= {"rate": float(np.median(rate)), "low": rate.min(), "high": rate.max()}
            rows.append(row | {"peak_mb": size.get(f"{name} peak MB")})
growth = pd.DataFrame(rows).astype({"peak_mb": float})
save_panel(
    speed.training_growth(growth),
    "S8a",
    data=growth,
    alt="Cells trained in a second against the number of cells and of genes, by stock, by ours and by the matrix products alone; and memory against cells.",
    caption="**Training one model on one thread.** Left and middle: rate as cells, and as genes grow; points: medians, lines: range of the repeats. Matrix products alone: the dense products of a step and nothing else. Right: memory that training takes beyond the cells.",
    results=results,
)

# %% [markdown]
# ```{panel} S8a
# ```
#
# Ours trains {val}`speed.times_stock_min:.1f` to {val}`speed.times_stock_max:.1f` times as fast as stock, depending on the size, and reaches {val}`speed.share_min:.0%` to {val}`speed.share_max:.0%` of the rate of its matrix products.
# With {val}`speed.more_cells:.1f` times the cells our rate is {val}`speed.rate_of_more_cells:.2f` times what it was (1 would mean that an epoch takes time in proportion to its cells), and with {val}`speed.more_genes:.1f` times the genes a cell takes {val}`speed.time_of_more_genes:.1f` times as long.
# At {val}`speed.peak_size`, training takes {val}`speed.peak_ours:,.0f` MB beyond the cells; with stock it takes {val}`speed.peak_stock:,.0f` MB.
#
# What it means: a mixture of the paper has up to {val}`speed.paper_cells:,d` cells, and its models are trained for {val}`speed.paper_epochs` epochs.
# At the rates measured with {val}`speed.most_genes:,d` genes that is {val}`speed.paper_hours_ours:.0f` hours a model on one thread, and {val}`speed.paper_hours_stock:.0f` hours with stock: calculated, not run.

# %% tags=["remove-cell"]
record("speed.times_stock_min", training["times stock"].min(), unit="× stock", results=results)
record("speed.times_stock_max", training["times stock"].max(), unit="× stock", results=results)
record("speed.share_min", training["share of products"].min(), unit="of the products' rate", results=results)
record("speed.share_max", training["share of products"].max(), unit="of the products' rate", results=results)
ours = growth[growth["trainer"] == "ours"]
by_cells, by_genes = (ours[ours["grows"] == g].sort_values(g).iloc[[0, -1]] for g in ("cells", "genes"))
few, many = by_cells["cells"]
record("speed.more_cells", many / few, unit="× the cells", results=results)
slow, fast = by_cells["rate"].iloc[1], by_cells["rate"].iloc[0]
record("speed.rate_of_more_cells", slow / fast, unit="× the rate", results=results)
record("speed.more_genes", by_genes["genes"].iloc[1] / by_genes["genes"].iloc[0], unit="× the genes", results=results)
longer = by_genes["rate"].iloc[0] / by_genes["rate"].iloc[1]
record("speed.time_of_more_genes", longer, unit="× the time", results=results)
largest = training.sort_values(["cells", "genes"]).iloc[-1]
record("speed.peak_size", f"{largest['cells']:,} cells × {largest['genes']:,} genes", unit="", results=results)
paper = read_profile("paper")
cells, epochs = 2 * paper.cells, paper.training.max_epochs
record("speed.paper_cells", cells, unit="cells", results=results)
record("speed.paper_epochs", epochs, unit="epochs", results=results)
widest = training.sort_values("genes").iloc[-1]
record("speed.most_genes", int(widest["genes"]), unit="genes", results=results)
for name in ("ours", "stock"):
    record(f"speed.peak_{name}", largest[f"{name} peak MB"], unit="MB", results=results)
    hours = 0.9 * cells * epochs / widest[f"{name} cells/s"] / 3600
    record(f"speed.paper_hours_{name}", hours, unit="hours", results=results)

# %% [markdown]
# ## The ten models of a baseline
#
# Ten models on {val}`speed.cores` cores, with {val}`speed.ten_cells:,d` cells and {val}`speed.ten_genes:,d` genes each.
# The workflow starts a process for each core and allows each one thread.
# Stock is shown in several ways, since its time depends on how it is started.
# Left at its defaults, every process takes a thread for each core.
# In one process, that is what somebody gets who trains one model after another; in a process for each core, it is what somebody gets whose workflow starts models side by side and limits nothing.
# Both were measured once, on {val}`speed.defaults_cells:,d` cells, and scaled by the steps of an epoch.

# %%
ways = pd.DataFrame(
    {
        "way": together["way"],
        "trainer": together["trainer"],
        "seconds": together["ten models s/epoch"],
        "low": together["repeats"].map(min),
        "high": together["repeats"].map(max),
        "runs": together["repeats"].map(len),
        "times_ours": together["times ours"],
        "peak_mb_a_process": together["peak MB a process"],
    }
)
save_panel(
    speed.ten_models(ways),
    "S8b",
    data=ways,
    alt="Bars of the seconds that an epoch of ten models takes with ours and with stock, in several numbers of processes and threads.",
    caption="**Ten models on all cores**, seconds an epoch; lines: range of the repeats. At its defaults, stock takes a thread for each core in every process.",
    results=results,
)

# %% [markdown]
# ```{panel} S8b
# ```
#
# Ours takes {val}`speed.ten:.1f` seconds an epoch for all ten.
# The best that stock does on the same cores ({val}`speed.best_way`) takes {val}`speed.ten_times_best` times as long.
# Stock at its defaults takes {val}`speed.ten_times_one` times as long in one process, and {val}`speed.ten_times_many` times as long in a process a core.
# The target of {val}`speed.defaults_target:.0f` is {val}`speed.one_verdict` by the first of these numbers, and {val}`speed.many_verdict` by the second.
# Neither replaces the other: the first describes one process that is started by hand, the second a workflow whose author limited no threads.
# What is possible: the dense matrix products of ten models, spread over the cores with nothing else to compute, would take {val}`speed.ten_products:.1f` seconds an epoch, {val}`speed.ceiling_one:.1f` and {val}`speed.ceiling_many:.1f` times as fast as the two.
# How slow stock is at its defaults depends on how much its threads stand in each other's way, and so on what else the machine is doing.

# %% tags=["remove-cell"]
record("speed.cores", together.attrs["hardware"]["cores"], unit="cores", results=results)
record("speed.defaults_cells", int(together["cells timed"].min()), unit="cells", results=results)
record("speed.ten_cells", int(together["cells"].iloc[0]), unit="cells", results=results)
record("speed.ten_genes", int(together["genes"].iloc[0]), unit="genes", results=results)
record("speed.ten", ways.loc[ways["trainer"] == "ours", "seconds"].min(), unit="s an epoch", results=results)
stock = ways[ways["trainer"] == "stock"]
record("speed.best_way", stock.sort_values("seconds")["way"].iloc[0], unit="", results=results)
record("speed.defaults_target", targets.loc["one", "at_least"], unit="× ours", results=results)
for key, row in targets.loc[["best", "one", "many"]].iterrows():
    record(f"speed.ten_times_{key}", found_in_words(row), unit="× ours", results=results)
    record(f"speed.{key}_verdict", row["verdict"], unit="", results=results)
alike = training[(training["cells"] == together["cells"].iloc[0]) & (training["genes"] == together["genes"].iloc[0])]
products = 10 * alike["products s/epoch"].iloc[0] / together.attrs["hardware"]["cores"]
record("speed.ten_products", products, unit="s an epoch", results=results)
defaults = stock[together.loc[stock.index, "threads"] > 1].sort_values("seconds")
for key, processes in (("one", 1), ("many", together.attrs["hardware"]["cores"])):
    seconds = defaults.loc[together.loc[defaults.index, "processes"] == processes, "seconds"].iloc[0]
    record(f"speed.ceiling_{key}", seconds / products, unit="× stock at its defaults", results=results)

# %% [markdown]
# ## Scoring
#
# One model was scored on evaluation sets of growing size.
# The published way normalises, reconstructs and densifies whole matrices, and scores a posterior sample; ours reads the cells in chunks, and scores the sample and the posterior mean.
# In the grid, all models of a baseline are scored on one pass over the cells.

# %%
rows = [
    {
        "cells": size["cells"],
        "way": way,
        "seconds": size[f"{way} seconds"],
        "low": min(size["repeats"][way]),
        "high": max(size["repeats"][way]),
        "peak_mb": size[f"{way} peak MB"],
    }
    for _, size in scoring.iterrows()
    for way in ("published", "ours")
]
costs = pd.DataFrame(rows)
save_panel(
    speed.scoring_cost(costs),
    "S8c",
    data=costs,
    alt="Time and memory of scoring against the number of cells, the published way and ours.",
    caption="**Scoring one model.** Left: time, lines: range of the repeats. Right: memory that scoring takes beyond the cells.",
    results=results,
)

# %% [markdown]
# ```{panel} S8c
# ```
#
# On {val}`speed.scoring_cells:,d` cells ours is {val}`speed.scoring_times` times as fast as the published way, {val}`speed.scoring_rate:,.0f` cells a second, with {val}`speed.scoring_memory:.1%` of its memory.
# With {val}`speed.scoring_more:.0f` times the cells, ours takes {val}`speed.scoring_memory_of_more:.1f` times the memory, the published way {val}`speed.published_memory_of_more:.1f` times.

# %% tags=["remove-cell"]
sizes = scoring.sort_values("cells")
smallest, largest = sizes.iloc[0], sizes.iloc[-1]
record("speed.scoring_cells", int(largest["cells"]), unit="cells", results=results)
record("speed.scoring_times", found_in_words(targets.loc["scoring"]), unit="× as fast", results=results)
record("speed.scoring_rate", largest["ours cells/s"], unit="cells/s", results=results)
record("speed.scoring_memory", largest["share of memory"], unit="of the published way's memory", results=results)
record("speed.scoring_more", largest["cells"] / smallest["cells"], unit="× the cells", results=results)
for key, way in (("scoring", "ours"), ("published", "published")):
    more = largest[f"{way} peak MB"] / smallest[f"{way} peak MB"]
    record(f"speed.{key}_memory_of_more", more, unit="× the memory", results=results)

# %% [markdown]
# ## The same optimum
#
# Speed is worth nothing if training ends elsewhere.
# Stock and ours were each trained with several seeds on the same cells, and compared by the objective on the cells that training left out (the negative evidence lower bound, "bound" for short).

# %%
bounds = pd.DataFrame(
    [
        {"trainer": row["trainer"], "seed": seed, "bound": bound}
        | {"mean": row["ELBO mean"], "standard_error": row["standard error"]}
        for _, row in parts["optimum"].iterrows()
        for seed, bound in enumerate(row["repeats"])
    ]
)
save_panel(
    speed.held_out_bounds(bounds),
    "S8d",
    data=bounds,
    alt="The held-out bound of several seeds each of stock and ours, with mean and standard error.",
    caption=f"**Held-out bound** of {bounds['seed'].nunique()} seeds (circles), with mean and standard error (diamonds).",
    results=results,
)

# %% [markdown]
# ```{panel} S8d
# ```
#
# The means differ by {val}`speed.optimum_nats:.2f` nats a cell, {val}`speed.optimum:.2f` standard errors of that difference, over {val}`speed.optimum_seeds` seeds each. The target, at most one standard error, is {val}`speed.optimum_verdict`.
# The tests of the project compare more sharply: on one minibatch every gradient equals that of stock.

# %% tags=["remove-cell"]
record("speed.optimum", parts["optimum"]["in standard errors"].iloc[0], unit="standard errors", results=results)
record("speed.optimum_seeds", bounds["seed"].nunique(), unit="seeds", results=results)
record("speed.optimum_verdict", targets.loc["optimum", "verdict"], unit="", results=results)
record("speed.optimum_nats", parts["optimum"]["difference"].iloc[0], unit="nats a cell", results=results)

# %% [markdown]
# ## The demo, and Geneformer
#
# For the cells, genes and epochs of the demo, training and scoring the ten models of one baseline with ours takes {val}`speed.demo` of the time with stock: {val}`speed.demo_ours:.0f` instead of {val}`speed.demo_stock:.0f` seconds on one thread.
# {val}`speed.others`

# %% tags=["remove-cell"]
demo = parts["demo"].set_index("trainer")
record("speed.demo", found_in_words(targets.loc["demo"]), unit="of stock's time", results=results)
record("speed.demo_ours", demo.loc["ours", "both s"], unit="s", results=results)
record("speed.demo_stock", demo.loc["stock", "both s"], unit="s", results=results)
gpu = f"{found_in_words(targets.loc['gpu'])} of the time of one stock model on it"
gpu = gpu if targets.loc["gpu", "verdict"] != NOT_MEASURED else NOT_MEASURED
record("speed.gpu", gpu, unit="", results=results)
tokenising = NOT_MEASURED
if "geneformer" in parts:
    most = parts["geneformer"].sort_values("cells").iloc[-1]
    tokenising = f"{most['tokens cells/s']:,.0f} cells a second on one thread, with {most['tokens peak MB']:,.0f} MB beyond the process, at {most['cells']:,.0f} cells"
record("speed.tokenising", tokenising, unit="", results=results)
pretraining = pretraining_in_words(parts.get("pretraining"))
record("speed.pretraining", pretraining, unit="", results=results)
others = {
    "Turning cells into tokens for Geneformer": tokenising,
    "Pretraining Geneformer on a processor, beside transformers.Trainer with BertForMaskedLM, which starts from the "
    "same first weights, hides the same tokens and has the same loss": pretraining,
    "Ten models on a graphics processor (GPU)": gpu,
}
record("speed.others", what_was_measured(others), unit="", results=results)

# %% [markdown]
# ## An error that is measured likewise
#
# How often Figure 3 calls two sets of trainings of one mixture different is measured on simulated cells too, by `make calibrate`, and told in [Figure 3](fig3).

# %% tags=["remove-cell"]
calibration = read_benchmark(results.root, "calibration").set_index(["rule", "seeds"])
rates = {"rate": "share of tables with a false difference", "power": "share of tables with the atlas found on neurons"}
for (rule, seeds), row in calibration.iterrows():
    for name, column in rates.items():
        record(f"speed.calibration.{name}.{rule}.{seeds}", row[column], unit="share of tables", results=results)
of_seeds = calibration.loc["now", rates["rate"]].to_dict()
compatible = rates_in_words(of_seeds, tables=int(calibration["tables"].iloc[0]), designed=0.05)
record("speed.calibration.compatible", compatible, unit="", results=results)
for name in ("tables", "compared", "trainings"):
    record(f"speed.calibration.{name}", int(calibration[name].iloc[0]), unit=name, results=results)

# %% [markdown]
# ## Use it on your own machine
#
# `make bench` measures again, then `make figure FIG=speed` redraws this page; `make record-bench` keeps what was measured last with the project.

# %% tags=["hide-input"]
measured = pd.DataFrame(
    [
        {
            "Part": part,
            "Measured": "on this machine" if table.attrs["measured_here"] else "recorded with the project",
            "Day (UTC)": table.attrs["date"],
            "Processor": table.attrs["hardware"]["processor"],
            "Cores": table.attrs["hardware"]["cores"],
            "Commit": short_commit(table.attrs["commit"]),
            "Versions": ", ".join(f"{name} {number}" for name, number in table.attrs["versions"].items()),
        }
        for part, table in parts.items()
    ]
)
show_table(measured, index=False)
