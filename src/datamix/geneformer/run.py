"""The workflow's step: tokenise one mixture, pretrain on it, evaluate. What is finished is kept."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import torch
from accelerate import PartialState
from transformers import BertForMaskedLM

from datamix.corpora.evaluation_sets import evaluation_rows
from datamix.corpora.fetch import fetch
from datamix.corpora.genes import read_genes
from datamix.corpora.inventory import local_files
from datamix.corpora.leakage import require_no_leak
from datamix.corpora.mixtures import Part, draw_corpora, list_mixtures
from datamix.geneformer import pretraining, zero_shot
from datamix.geneformer.cells import draw_cells, read_cells
from datamix.geneformer.tables import embeddings_of, model_of, scores_of, settings_of, tokens_of
from datamix.geneformer.tokenizer import encode, tokenize
from datamix.geneformer.vocabulary import Vocabulary, nonzero_medians
from datamix.project.errors import DatamixError
from datamix.project.files import read_json, sha256, write_json
from datamix.project.fingerprint import fingerprint
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.project.profile import Evaluation, Geneformer
from datamix.project.tables import write_table

Say = Callable[[str], None]
_NOT_OF_THE_MODEL = {"baselines", "added", "seeds", "evaluation_cells"}
_MAKES_MODELS = ("datamix.geneformer.run:tokenize_mixture", "datamix.geneformer.pretraining:pretrain")


class Run:
    """One mixture and seed: where its files lie, and what they are made from.

    Parameters
    ----------
    layout
        The profile and its folders; the corpora must have been prepared.
    baseline, mixture
        Names as in `datamix.corpora.mixtures.list_mixtures`.
    seed
        Seeds the draws, the training and the evaluation. The cells are those of the LDVAE of the same seed.

    Raises
    ------
    DatamixError
        If the profile has no `geneformer`, no such baseline or no such mixture.
    """

    def __init__(self, layout: Layout, baseline: str, mixture: str, *, seed: int) -> None:
        self.layout, self.baseline, self.mixture, self.seed = layout, baseline, mixture, seed
        self.settings: Geneformer = settings_of(layout.profile)
        profile = layout.profile
        mixtures = {m.name: m for m in list_mixtures(profile, baseline)}
        if mixture not in mixtures:
            msg = f"The {baseline} baseline of profile {profile.name} has no mixture {mixture!r}."
            raise DatamixError(msg, fix=f"name one of {', '.join(mixtures)}")
        blocks = draw_corpora(layout, baseline, seed=seed)
        require_no_leak(layout, blocks)
        self.parts: list[Part] = [part for block in mixtures[mixture].blocks for part in blocks[block]]
        self.folder = model_of(layout, baseline, seed, mixture)
        self.tokens = tokens_of(layout, baseline, seed, mixture)

    def key(self) -> str:
        """Hash everything that the model depends on: cells, genes, settings, seed, and the code."""
        settings = self.settings.model_dump(mode="json", exclude=_NOT_OF_THE_MODEL)
        genes = sha256(self.layout.genes) if self.settings.dictionaries is None else self._dictionaries()
        code = fingerprint(*_MAKES_MODELS, without=("datamix.geneformer.run:Run",))
        digest = hashlib.sha256(json.dumps([settings, self.seed, genes, code], sort_keys=True).encode())
        for part in self.parts:
            digest.update(sha256(self.layout.corpus(part.dataset)).encode())
            digest.update(np.ascontiguousarray(part.rows, dtype="<i8").tobytes())
        return digest.hexdigest()

    def _dictionaries(self) -> dict[str, str]:
        """Return the hashes of the published dictionaries' files."""
        assert self.settings.dictionaries is not None
        entry = read_manifest(self.layout.root, self.layout.profile).dataset(self.settings.dictionaries)
        fetch(self.settings.dictionaries, entry, root=self.layout.root)
        return local_files(self.settings.dictionaries, entry, root=self.layout.root)[1]

    def where(self) -> str:
        """Say what is worked on."""
        return f"geneformer {self.layout.profile.name}, {self.baseline} baseline, seed {self.seed}, {self.mixture}"


def tokenize_mixture(run: Run) -> tuple[datasets.Dataset, Vocabulary]:
    """Encode the cells of a mixture, unless that has been done; the vocabulary is published or the mixture's own."""
    layout, key = run.layout, run.key()
    record, path = run.tokens / "made_from.json", run.tokens / "vocabulary.json"
    if record.is_file() and read_json(record) == key:
        vocabulary = Vocabulary.load(path)
    else:
        if run.settings.dictionaries is None:
            shared = read_genes(layout)["gene"].tolist()
            medians = nonzero_medians(read_cells(layout, run.parts, shared), scratch=run.tokens)
            vocabulary = Vocabulary.of_medians(medians)
        else:
            vocabulary = _published(layout, run.settings.dictionaries)
        vocabulary.save(path)
        write_json(record, key)
    size = run.settings.input_size
    cells = tokenize(layout, run.parts, vocabulary, input_size=size, folder=run.tokens / "cells", key=key)
    return cells, vocabulary


def run_mixture(layout: Layout, baseline: str, mixture: str, *, seed: int, say: Say = print) -> Path:
    """Tokenise, pretrain and evaluate one mixture with one seed.

    A model that an earlier run finished from the same cells, settings and code is kept; one that was stopped goes on
    from its last checkpoint. Under `torchrun`, every process calls this; the first one alone writes.

    Parameters
    ----------
    layout, baseline, mixture, seed
        As in `Run`.
    say
        Called with lines of progress.

    Returns
    -------
    A parquet file, a row a (evaluation, cell); see `evaluate_mixture`.
    """
    run = Run(layout, baseline, mixture, seed=seed)
    state = PartialState(cpu=not torch.cuda.is_available())
    if not state.is_main_process:
        say = _silent
    key, record = run.key(), run.folder / "provenance.json"
    kept = record.is_file() and read_json(record)["key"] == key
    with state.main_process_first():
        tokens, vocabulary = tokenize_mixture(run)
    if kept:
        model, vocabulary = pretraining.load(run.folder)
        say(f"{run.where()}: kept")
    else:
        began = time.perf_counter()
        model = pretraining.pretrain(
            tokens, vocabulary, settings=run.settings, seed=seed, folder=run.folder,
            say=lambda line: say(f"{run.where()}: {line}"),
        )  # fmt: skip
        if state.is_main_process:
            write_json(record, _provenance(run) | {"key": key, "seconds": time.perf_counter() - began})
    if state.is_main_process:
        evaluate_mixture(run, model, vocabulary, tokens)
    state.wait_for_everyone()
    return scores_of(layout, baseline, seed, mixture)


def evaluate_mixture(
    run: Run, model: BertForMaskedLM, vocabulary: Vocabulary, tokens: datasets.Dataset
) -> pd.DataFrame:
    """Evaluate a model on at most `evaluation_cells` of each evaluation set, drawn with the seed.

    Parameters
    ----------
    run
        The mixture and seed.
    model, vocabulary
        As `datamix.geneformer.pretraining.load` gives them.
    tokens
        The encoded training cells.

    Returns
    -------
    A row a (evaluation, cell): `baseline`, `mixture`, `seed`, `evaluation`, `cell`, `cell_type`, `donor`; `tokens` (of
    the cell); `correlation`, and those of the mean rank over the evaluation cells (`published`) and over the training
    cells (`corrected`); `masked`, `correct`, `loss`, `unigram_loss` as in `datamix.geneformer.zero_shot.run_masked`;
    `gain`, the unigram model's loss minus the model's, nats a hidden gene. It is also written, as
    are the embeddings of the cells, a row a cell in the same order.
    """
    seen = zero_shot.training_statistics(tokens, size=vocabulary.size)
    tables, embeddings = [], []
    for name, evaluation in run.layout.profile.evaluations.items():
        part = evaluation_rows(run.layout, name, seed=run.seed)
        part = draw_cells(part, run.settings.evaluation_cells, seed=run.seed)
        cells = next(read_cells(run.layout, [part], vocabulary.genes))
        ranks = encode(cells, vocabulary, input_size=run.settings.input_size)
        unmasked = zero_shot.run_unmasked(model, ranks)
        correlations = zero_shot.gene_rank_correlation(
            ranks,
            unmasked.returned,
            baselines={"published": zero_shot.mean_rank(zero_shot.rank_scores(ranks)), "corrected": seen.mean_rank},
        )
        masked = zero_shot.run_masked(
            model, ranks, frequencies=zero_shot.unigram(seen.counts), share=run.settings.masked, seed=run.seed
        )
        about = cells.obs[["cell_type", "donor"]].rename_axis("cell").reset_index()
        about.insert(0, "evaluation", name)
        tables.append(pd.concat([about.assign(tokens=ranks.lengths), correlations, masked], axis=1))
        embeddings.append(unmasked.embeddings)
        _require_known(evaluation, ranks.lengths)
    scores = pd.concat(tables, ignore_index=True).assign(gain=lambda t: t["unigram_loss"] - t["loss"])
    scores.insert(0, "baseline", run.baseline)
    scores.insert(1, "mixture", run.mixture)
    scores.insert(2, "seed", run.seed)
    columns = [f"z{i}" for i in range(model.config.hidden_size)]
    points = pd.concat(
        [scores[["evaluation", "cell", "cell_type"]], pd.DataFrame(np.concatenate(embeddings), columns=columns)], axis=1
    )
    place = (run.layout, run.baseline, run.seed, run.mixture)
    for table, path in ((points, embeddings_of(*place)), (scores, scores_of(*place))):
        write_table(table, path)
    return scores


def _silent(_: str) -> None:
    pass


def _require_known(evaluation: Evaluation, lengths: np.ndarray) -> None:
    if not lengths.any():
        msg = f"No cell of {evaluation.label} ({evaluation.dataset}) has a gene of the vocabulary."
        raise DatamixError(msg, fix="check its gene ids in data_manifest.yaml")


def _published(layout: Layout, dataset_id: str) -> Vocabulary:
    from datamix.sources.readers.geneformer_dictionaries import read_geneformer_dictionaries

    entry = read_manifest(layout.root, layout.profile).dataset(dataset_id)
    found = {s.file.name: s.path for s in fetch(dataset_id, entry, root=layout.root)}
    content = read_geneformer_dictionaries(found)
    absent = [f"{name}.pkl" for name in ("token_dictionary", "gene_median_dictionary") if name not in content]
    if absent:
        msg = f"Dataset '{dataset_id}' has no {', '.join(absent)}."
        raise DatamixError(msg, fix="edit data_manifest.yaml")
    return Vocabulary(content["token_dictionary"], content["gene_median_dictionary"])


def _provenance(run: Run) -> dict[str, object]:
    gpu = torch.cuda.is_available()
    return {
        "profile": run.layout.profile.name,
        "protocol": run.layout.profile.protocol,
        "baseline": run.baseline,
        "mixture": run.mixture,
        "seed": run.seed,
        "cells": {p.dataset: sum(len(q.rows) for q in run.parts if q.dataset == p.dataset) for p in run.parts},
        "settings": run.settings.model_dump(mode="json", exclude=_NOT_OF_THE_MODEL),
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }
