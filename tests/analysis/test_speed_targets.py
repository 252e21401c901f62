"""Verdicts follow from the numbers, either way; what was not measured is not met."""

import numpy as np
import pandas as pd
import pytest

from datamix.analysis.speed_targets import NOT_MEASURED, judge, ratio_range, what_was_measured


def training(slow: float) -> pd.DataFrame:
    rows = [
        {"cells": 10_000, "genes": 5_000, "times stock": 5.0, "share of products": 0.7},
        {"cells": 40_000, "genes": 5_000, "times stock": slow, "share of products": 0.44},
    ]
    return pd.DataFrame(rows).assign(repeats=[{"stock": [10.0, 12.0], "ours": [2.0, 4.0], "products": [1.0, 1.0]}] * 2)


def together() -> pd.DataFrame:
    rows = [("ours", 2, 1, 2.0), ("stock", 2, 1, 11.0), ("stock", 1, 2, 16.0), ("stock", 2, 2, 50.0)]
    table = pd.DataFrame(rows, columns=["trainer", "processes", "threads", "ten models s/epoch"])
    table["times ours"] = table["ten models s/epoch"] / 2
    return table.assign(cells=10_000, genes=5_000, repeats=[[s] for s in table["ten models s/epoch"]])


def test_the_worst_size_decides():
    good, bad = (judge({"training": training(slow)}).loc["training"] for slow in (2.5, 2.4))
    assert (good["verdict"], bad["verdict"]) == ("met", "missed")
    assert bad["found"] == 2.4
    assert (bad["low"], bad["high"]) == (10 / 4, 12 / 2)
    assert bad["size"] == "40,000 cells × 5,000 genes, the worst of 2"
    assert judge({"training": training(2.5)}).loc["products", "verdict"] == "missed"  # 44 % of the products' rate


def test_stock_at_its_defaults_is_judged_both_ways():
    best, one, many = judge({"together": together()}).loc[["best", "one", "many"]].to_dict("records")
    assert (best["found"], one["found"], many["found"]) == (5.5, 8.0, 25.0)
    assert [row["verdict"] for row in (best, one, many)] == ["met", "missed", "met"]
    assert "in one process" in one["target"]
    assert "in a process a core" in many["target"]
    assert np.isnan(one["low"])  # one run has no range
    few_cores = together().query("threads == 1")
    assert judge({"together": few_cores}).loc[["best", "one", "many"], "verdict"].tolist() == [
        "met",
        "not measured",
        "not measured",
    ]


def test_scoring_optimum_and_demo():
    scoring = pd.DataFrame(
        {"cells": [10, 40], "genes": [5, 5], "times published": [9.0, 4.9], "share of memory": [0.3, 0.2]}
    ).assign(repeats=[{"published": [9.8, 10], "ours": [2.0, 2.0]}] * 2)
    optimum = pd.DataFrame({"in standard errors": [0.9, 0.9]})
    demo = pd.DataFrame({"trainer": ["stock", "ours"], "share of stock": [1.0, 0.25]})
    demo["repeats"] = [{"train": [10.0, 12], "score": [2.0, 2]}, {"train": [2.0, 3], "score": [1.0, 1]}]
    table = judge({"scoring": scoring, "optimum": optimum, "demo": demo}).loc["scoring":"demo"]
    assert table["verdict"].tolist() == ["missed", "met", "met", "met"]
    assert table["low"].tolist()[-1] == pytest.approx(3 / 14)
    assert table["high"].tolist()[-1] == pytest.approx(4 / 12)


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert judge({})["verdict"].tolist() == ["not measured"] * 10
    repeats = {"stock, one": [2.0], "ours, ten": [1.0]}
    row = {"device": "cpu", "cells": 100, "genes": 10, "share": 0.5, "repeats": repeats}
    assert judge({"gpu": pd.DataFrame([row])}).loc["gpu", "verdict"] == "not measured"
    assert judge({"gpu": pd.DataFrame([row | {"device": "cuda"}])}).loc["gpu", "verdict"] == "met"


def test_range_is_over_all_pairs():
    assert ratio_range([10, 12], [2, 4]) == (2.5, 6)
    assert ratio_range([10], [2, 4]) == (2.5, 5)


def test_what_was_not_measured_is_said_once():
    found = {"Ten models": "80%", "Pretraining": NOT_MEASURED, "Turning cells": NOT_MEASURED}
    assert what_was_measured(found) == "Ten models: 80%. Not measured: pretraining; turning cells."
    assert what_was_measured(dict.fromkeys(["Ten models"], "80%")) == "Ten models: 80%."
    assert what_was_measured({"Ten models": NOT_MEASURED}) == "Not measured: ten models."
