"""Measure tokenising, pretraining beside the plain library, and the paper's training on a GPU: `make bench-geneformer`.

All cells are simulated. These are measurements of one machine, never tests.
"""

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import torch

from benchmarks.measure import Peak, simulate
from benchmarks.pretraining import PUBLISHED_VOCABULARY, beside_stock, sizes
from benchmarks.training import about
from datamix.corpora.mixtures import Part
from datamix.geneformer.cells import read_cells
from datamix.geneformer.masking import MaskedCells, pad
from datamix.geneformer.pretraining import new_model
from datamix.geneformer.tokenizer import tokenize
from datamix.geneformer.vocabulary import Vocabulary, nonzero_medians
from datamix.project.files import write_json
from datamix.project.layout import Layout
from datamix.project.profile import Geneformer
from datamix.project.profile_files import project_root, read_profile

CELLS = (10_000, 40_000)
GENES = 5_000
_BLOCK = 10_000


def main() -> None:
    """Measure, print, and write `results/bench/geneformer.json` and `pretraining.json`."""
    parser = argparse.ArgumentParser(prog="make bench-geneformer", description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rows = [tokenising(cells, repeats=arguments.repeats) for cells in arguments.cells]
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.4g"))
    pretraining = [beside_stock(size, repeats=arguments.repeats) for size in sizes()]
    print(pd.DataFrame(pretraining).set_index("model").T.to_string(float_format="%.4g"))
    write_json(project_root() / "results" / "bench" / "pretraining.json", about() | {"rows": pretraining})
    found: dict[str, Any] = about() | {"rows": rows}
    if torch.cuda.is_available():
        found["training"] = training(Geneformer())
        print(pd.Series(found["training"]).to_string())
    else:
        print("No GPU: training with the paper's configuration is not measured.")
    write_json(project_root() / "results" / "bench" / "geneformer.json", found)


def tokenising(cells: int, *, repeats: int) -> dict[str, float]:
    """Measure the medians and the tokens of a corpus, each time in a new process.

    Returns
    -------
    `cells`; medians over the repeats of `medians s`, `medians cells/s`, `medians peak MB`, and the same of `tokens`.
    Peak memory is what the work adds to the memory of its process.
    """
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder), read_profile("demo"))
        _write_corpus(layout.corpus("bench"), cells)
        context = multiprocessing.get_context("spawn")
        found = []
        for repeat in range(repeats):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                found.append(pool.submit(_tokenise, layout, cells, f"repeat{repeat}").result())
    middle = pd.DataFrame(found).median()
    rates = {f"{part} cells/s": cells / middle[f"{part} s"] for part in ("medians", "tokens")}
    return {"cells": cells} | {str(name): float(value) for name, value in (middle.to_dict() | rates).items()}


def training(settings: Geneformer, *, steps: int = 40) -> dict[str, float | str]:
    """Measure training on one GPU: full-length cells, half precision, a step of `cells_per_device`.

    Returns
    -------
    `tokens/s`; `tflop/s` of the matrix products that a step needs (forward, and twice that backward); `share`, of the
    rate at which this card multiplies two half-precision matrices of 8,192.
    """
    device, size = torch.device("cuda"), settings.input_size
    vocabulary = Vocabulary.of_medians({f"G{i:05d}": 1.0 for i in range(PUBLISHED_VOCABULARY - 2)})
    generator = np.random.default_rng(0)
    cells = [generator.permutation(vocabulary.tokens)[:size].tolist() for _ in range(settings.cells_per_device)]
    from datasets import Dataset

    masked = MaskedCells(
        Dataset.from_dict({"input_ids": cells}), genes=vocabulary.tokens, share=settings.masked, seed=0
    )
    batch = {k: v.to(device) for k, v in pad(masked.__getitems__([(0, row) for row in range(len(cells))])).items()}
    model = new_model(vocabulary, settings=settings, seed=0)
    torch.nn.Module.to(model, device)
    optimiser, scaler = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True), torch.amp.GradScaler()
    seconds = []
    for _ in range(steps):
        torch.cuda.synchronize()
        began = time.perf_counter()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(**batch).loss
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        optimiser.zero_grad()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    took = float(np.median(seconds[5:]))
    tokens, width = size * len(cells), settings.width
    layer = 2 * tokens * (4 * width * width + 2 * width * settings.feed_forward + 2 * size * width)
    hidden = int((batch["labels"] != -100).sum())
    head = 2 * hidden * width * (width + PUBLISHED_VOCABULARY)
    flop = 3 * (settings.layers * layer + head)
    rate = _matrix_rate(device)
    return {
        "card": torch.cuda.get_device_name(),
        "tokens/s": tokens / took,
        "tflop/s": flop / took / 1e12,
        "matrix tflop/s": rate / 1e12,
        "share": flop / took / rate,
    }


def _matrix_rate(device: torch.device, *, n: int = 8192) -> float:
    a, b = (torch.randn(n, n, device=device, dtype=torch.float16) for _ in range(2))
    seconds = []
    for _ in range(20):
        torch.cuda.synchronize()
        began = time.perf_counter()
        a @ b
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * n**3 / float(np.median(seconds[5:]))


def _tokenise(layout: Layout, cells: int, name: str) -> dict[str, float]:
    parts, folder = [Part("bench", np.arange(cells))], layout.folder / name
    genes = [f"gene{i:05d}" for i in range(GENES)]
    with Peak() as of_medians:
        began = time.perf_counter()
        medians = nonzero_medians(read_cells(layout, parts, genes), scratch=folder)
        first = time.perf_counter() - began
    with Peak() as of_tokens:
        began = time.perf_counter()
        tokenize(layout, parts, Vocabulary.of_medians(medians), input_size=2048, folder=folder / "cells", key=name)
        second = time.perf_counter() - began
    return {
        "medians s": first,
        "medians peak MB": of_medians.megabytes,
        "tokens s": second,
        "tokens peak MB": of_tokens.megabytes,
    }


def _write_corpus(path: Path, cells: int) -> None:
    blocks = [simulate(min(_BLOCK, cells - start), GENES, seed=start) for start in range(0, cells, _BLOCK)]
    corpus = ad.concat(blocks, index_unique="-")
    corpus.obs_names = [f"bench:{i}" for i in range(cells)]
    corpus.obs = corpus.obs.assign(
        dataset="bench", total_counts=np.asarray(corpus.X.sum(axis=1)).ravel().astype(float), mito_fraction=0.0
    )
    corpus.var["symbol"] = corpus.var_names
    path.parent.mkdir(parents=True)
    corpus.write_h5ad(path)


if __name__ == "__main__":
    main()
