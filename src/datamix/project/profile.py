"""A profile: one YAML file that says which data, mixtures, seeds, training and evaluation a run of the book uses."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from datamix.project.dataset import Dataset
from datamix.project.errors import DatamixError
from datamix.project.mixture_names import read_name
from datamix.project.settings import ForReaders, Settings, Words, require_plain_name

Node = Literal["ESC", "HSC", "MPP", "CMP", "CLP", "MEP", "GMP", "RBC", "Plt", "Gran", "Mono", "DC", "T", "B", "NK"]
"""A cell state of the haematopoietic tree of Figure 1A."""

Covers = Annotated[tuple[Node, ...], Field(strict=False), ForReaders()]
"""The states of the tree over which Figure 1A draws a training source."""

Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1, strict=False)]
"""One or more seeds, as numpy and torch both take them."""

MOST_BLOCKS = 8
"""Of a composition: 255 coalitions."""


class QC(Settings):
    """Cell filters; a cell is kept where both hold strictly."""

    min_counts: Annotated[float, Field(ge=0)] = 1000
    """Total counts must be above this."""
    max_mito: Annotated[float, Field(gt=0)] = 0.1
    """The mitochondrial fraction (0 to 1) must be below this."""

    @field_validator("max_mito")
    @classmethod
    def _is_a_fraction(cls, value: float) -> float:
        if value > 1:
            msg = f"a fraction from 0 to 1, not per cent: write {value / 100:g} for {value:g} %"
            raise ValueError(msg)
        return value


class Baseline(Settings):
    """The corpus to which the others are added: its cells are split in two halves, the second being the control."""

    label: Words
    dataset: str
    covers: Covers = ()


class Added(Settings):
    """A set that is added to the baseline, and also trained on alone."""

    label: Words
    datasets: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    """Several share the block equally (two cell lines, say)."""
    covers: Covers = ()
    cells: Literal["all"] | None = None
    """`all` takes every cell; nothing means the profile's `cells`."""
    reseed: bool = False
    """Seed the generator again before this draw, as the published scripts do before the TF atlas."""


class Evaluation(Settings):
    """An evaluation set: cells that no model is trained on."""

    label: Words
    dataset: str
    group: Literal["non-disease", "cancer", "out of distribution"]
    cell_types: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """Keep only these values of `obs.cell_type` (malignant cells, say); nothing means all."""
    cells: Annotated[int, Field(gt=0)] | None = None
    """Draw so many cells (seeded); nothing means all."""
    note: Words = ""
    """One sentence for the reader: what this set is, and how small."""
    seen: bool = False
    """Ours: its cells are of types that the baseline's corpus has, labelled or not, so that the finding on unseen cells
    is held against this set (and others so marked) alone: one of another laboratory, as the unseen cells are."""
    shares_donors_with: dict[str, str] = Field(default_factory=dict)
    """Training datasets that may hold donors of this set, each with the reason; the leakage guard stops at others."""
    shares_cells_with: dict[str, str] = Field(default_factory=dict)
    """The same for cells; counts under `published` only, to repeat its faults."""

    def content(self) -> dict[str, Any]:
        """Return what decides results: of what is shared, the datasets, not the reasons."""
        shared = {name: sorted(getattr(self, name)) for name in ("shares_donors_with", "shares_cells_with")}
        return super().content() | shared


class Training(Settings):
    """LDVAE training; the defaults are the paper's."""

    trainer: Literal["fast", "scvi"] = "fast"
    """`fast`: the same model and objective, reorganised; `scvi`: `LinearSCVI.train` itself."""
    max_epochs: Annotated[int, Field(gt=0)] = 250
    n_latent: Annotated[int, Field(gt=0)] = 10
    n_layers: Annotated[int, Field(gt=0)] = 2
    lr: Annotated[float, Field(gt=0)] = 5e-3
    batch_size: Annotated[int, Field(gt=1)] = 128
    check_val_every_n_epoch: Annotated[int, Field(gt=0)] = 10


class Scoring(Settings):
    """Reconstruction R²."""

    n_top_genes: Annotated[int, Field(gt=1)] = 1000
    """The most variable genes of each evaluation set on which cells are compared."""


class Geneformer(Settings):
    """Pretraining and zero-shot evaluation of Geneformer; the defaults are the paper's, where its scripts fix them."""

    baselines: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = ("blood",)
    """The baselines whose mixtures it is pretrained on; which ones the paper used is not known."""
    added: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = None
    """The added sets it is asked about: each alone and on top of the baseline, which is always trained, as is the
    control; nothing: all of the profile."""
    seeds: Seeds = (0,)
    dictionaries: str | None = None
    """The dataset (reader `geneformer_dictionaries`) with tokens and medians; nothing: computed from each mixture."""
    layers: Annotated[int, Field(gt=0)] = 6
    heads: Annotated[int, Field(gt=0)] = 4
    width: Annotated[int, Field(gt=0)] = 256
    feed_forward: Annotated[int, Field(gt=0)] = 512
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.02
    input_size: Annotated[int, Field(gt=1)] = 2048
    """Tokens of a cell at most."""
    first_weights: Annotated[float, Field(gt=0)] = 0.02
    """Standard deviation of the first weights: the library's, made for a width of 768."""
    local_start: bool = False
    """Ours: each rank attends to those near it from the first step on (`datamix.geneformer.pretraining.new_model`); all
    weights are learned in either case. False: they start at random, as published."""
    similar_lengths: bool = True
    """The cells of a step have similar lengths, as published; false (ours): they are drawn at random."""
    masked: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of tokens that is hidden."""
    epochs: Annotated[int, Field(gt=0)] = 3
    """Not known of the paper; three are usual for this model."""
    steps: Annotated[int, Field(gt=0)] | None = None
    """Ours: train every mixture so many steps, however many cells it has; nothing: `epochs` of each."""
    lr: Annotated[float, Field(gt=0)] = 1e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 10_000
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    batch_size: Annotated[int, Field(gt=0)] = 144
    """Cells of a step: the paper's 18 on each of 8 GPUs."""
    cells_per_device: Annotated[int, Field(gt=0)] = 18
    """Cells that go through a device at a time; a step gathers as many such turns as it needs."""
    half_precision: bool = True
    """On a GPU."""
    checkpoint_steps: Annotated[int, Field(gt=0)] = 500
    log_steps: Annotated[int, Field(gt=0)] = 10
    evaluation_cells: Annotated[int, Field(gt=1, le=4000)] = 500
    """Cells drawn of each evaluation set; all, where it has fewer."""

    @model_validator(mode="after")
    def _fits(self) -> "Geneformer":
        if self.width % self.heads:
            msg = f"width {self.width} is not a multiple of heads {self.heads}"
            raise ValueError(msg)
        if self.batch_size % self.cells_per_device:
            msg = f"batch_size {self.batch_size} is not a multiple of cells_per_device {self.cells_per_device}"
            raise ValueError(msg)
        if self.checkpoint_steps % self.log_steps:
            # The mean loss since the last line is not part of a checkpoint.
            msg = f"checkpoint_steps {self.checkpoint_steps} is not a multiple of log_steps {self.log_steps}"
            raise ValueError(msg)
        return self


class Composition(Settings):
    """Mixtures by shares (ours): as many cells of each, in other shares of the baseline's corpus and the added sets."""

    cells: Annotated[int, Field(ge=20)]
    """Cells of every mixture; at most as many as the smallest block has."""
    baseline: str | None = None
    """The baseline whose corpus is a block; nothing: the first."""
    blocks: Annotated[tuple[str, ...], Field(min_length=2, strict=False)] | None = None
    """What is mixed, of the baseline and the added sets; nothing: all of them. A set too small may be left out."""
    coalitions: bool = True
    """All subsets of the blocks in equal shares: Shapley values rest on them."""
    mixtures: Annotated[int, Field(ge=0)] = 12
    """Mixtures of shares at random (Dirichlet, all shares equally likely)."""
    doses: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(strict=False)] = ()
    """Cells of a block in place of as many of the baseline's, at most half of `cells`."""
    dosed: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """Blocks to give in doses; nothing: the added ones that are worth most on cancer, and out of distribution."""
    depth_matched: bool = False
    """Give the largest dose of each once more, its cells thinned to the median counts of the baseline's."""
    seeds: Seeds = (0, 1)
    max_epochs: Annotated[int, Field(gt=0)] = 250
    """Of every mixture alike; all else that `training` sets holds here, too."""
    batch_size: Annotated[int, Field(gt=1)] = 128
    simple_models: Annotated[tuple[Literal["pca", "nmf", "nearest", "mean"], ...], Field(strict=False)] = ("pca",)
    """Fitted to every mixture beside the LDVAE: do they rank mixtures alike?"""

    @model_validator(mode="after")
    def _fits(self) -> "Composition":
        too_large = [dose for dose in self.doses if 2 * dose > self.cells]
        if too_large:
            msg = f"a dose of {too_large[0]} is more than half of {self.cells} cells"
            raise ValueError(msg)
        if self.depth_matched and not self.doses:
            msg = "depth_matched thins the cells of the largest dose: give `doses`"
            raise ValueError(msg)
        if self.doses and not self.coalitions and self.dosed is None:
            msg = "without coalitions nothing says which blocks to give in doses: name them under `dosed`"
            raise ValueError(msg)
        return self


class Profile(Settings):
    """Everything a run depends on, validated and frozen."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    """The file's own name; also a folder's, and an argument of commands."""
    title: Words
    """One line for the banner of every page."""
    simulated: bool
    about: Words
    """What this profile shows, and what it cannot show."""
    protocol: Literal["published", "corrected"] = "corrected"
    seeds: Seeds = (0, 1)
    cells: Annotated[int, Field(gt=0)] | Literal["all"]
    """Cells in a training block (the paper: 101,879); `all` takes what there is."""
    most_variable_genes: Annotated[int, Field(gt=0)] | None = None
    """Keep so many of the shared genes, the most variable of the training corpora; nothing means all."""
    memory_mb: Annotated[int, Field(ge=400), ForReaders()] = 700
    """Memory that a preparation may take (MB), about; it sets how many cells are held at a time, nothing else."""
    gene_sets: str | None = None
    """The dataset (reader `gmt`) that holds gene sets for this profile."""
    qc: QC = QC()
    baselines: Annotated[dict[str, Baseline], Field(min_length=1)]
    added: dict[str, Added]
    """In the order in which they are drawn. Without any, the baseline is held against its control only."""
    evaluations: dict[str, Evaluation]
    training: Training = Training()
    scoring: Scoring = Scoring()
    geneformer: Geneformer | None = None
    """Nothing: this profile does not train it."""
    composition: Composition | None = None
    """Nothing: this profile has no mixtures by shares."""
    missing: Annotated[dict[str, str], ForReaders()] = Field(default_factory=dict)
    """Parts of the paper that this profile has no data for, and why."""
    own_datasets: Annotated[dict[str, Dataset], ForReaders()] = Field(default_factory=dict, alias="datasets")
    """Datasets that the profile brings itself, beside those of the manifest (`datasets` in its file); what decides a
    corpus is asked of the manifest, which `read_manifest` joins with them."""

    @model_validator(mode="after")
    def _names_are_plain(self) -> "Profile":
        for name in (*self.baselines, *self.added, *self.evaluations):
            require_plain_name(name, what="name")
        for name in self.own_datasets:
            require_plain_name(name, what="dataset id")
        for key, seeds in {
            "seeds": self.seeds,
            "geneformer.seeds": self.geneformer.seeds if self.geneformer else (),
        }.items():
            if len(set(seeds)) < len(seeds):
                msg = f"a seed stands twice in {key}"
                raise ValueError(msg)
        clash = set(self.baselines) & set(self.added)
        if clash:
            msg = f"{', '.join(sorted(clash))} stands both under baselines and under added"
            raise ValueError(msg)
        taken = [a for a in self.added for b in self.baselines if read_name(f"{b}+{a}").cells is not None]
        if taken:
            msg = f"{', '.join(taken)} is the name of a control of so many cells"
            raise ValueError(msg)
        unknown = set(self.geneformer.baselines) - set(self.baselines) if self.geneformer else set()
        if unknown:
            msg = f"geneformer.baselines names {', '.join(sorted(unknown))}, which is no baseline"
            raise ValueError(msg)
        unknown = set(self.geneformer.added or ()) - set(self.added) if self.geneformer else set()
        if unknown:
            msg = f"geneformer.added names {', '.join(sorted(unknown))}, which is no added set"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _composition_is_of_known_sets(self) -> "Profile":
        if self.composition is None:
            return self
        if self.composition.baseline is not None and self.composition.baseline not in self.baselines:
            msg = f"composition.baseline is {self.composition.baseline!r}, which is no baseline"
            raise ValueError(msg)
        blocks = self.blocks
        known = {self.composed_baseline, *self.added}
        unknown = [name for name in (*blocks, *(self.composition.dosed or ())) if name not in known]
        if unknown:
            msg = f"composition names {unknown[0]}, which is neither its baseline nor an added set"
            raise ValueError(msg)
        if len(set(blocks)) < len(blocks) or not 2 <= len(blocks) <= MOST_BLOCKS:
            msg = f"composition mixes {', '.join(blocks)}: expected 2 to {MOST_BLOCKS} sets, each once"
            raise ValueError(msg)
        if self.composition.doses and self.composed_baseline not in blocks:
            msg = f"doses replace cells of {self.composed_baseline}, which is not among composition.blocks"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _exceptions_are_for_training_datasets(self) -> "Profile":
        for name, evaluation in self.evaluations.items():
            for dataset in (*evaluation.shares_donors_with, *evaluation.shares_cells_with):
                if dataset not in self.training_datasets:
                    msg = f"evaluations.{name} shares cells or donors with {dataset!r}, which is no training dataset"
                    raise ValueError(msg)
        return self

    def require_whole(self) -> None:
        """Stop where there is nothing to score, as in a profile that is made up for a part of the code.

        Raises
        ------
        DatamixError
            If no set is evaluated. One to which nothing is added has a book: of the baseline and its control.
        """
        if not self.evaluations:
            msg = f"Profile {self.name} has nothing under `evaluations`, so there is no book to be made of it."
            raise DatamixError(msg, fix=f"name a set under `evaluations` in config/{self.name}.yaml")

    def model_seed(self, seed: int) -> int:
        """Return the seed of the models that are evaluated for a seed.

        Their own, or, under the published protocol, the first: the published script loads the models of seed 0 whatever
        seed it is given (fault 1), so that its seeds differ by the posterior sample only.
        """
        return self.seeds[0] if self.protocol == "published" else seed

    @property
    def composed_baseline(self) -> str:
        """The baseline of mixtures by shares."""
        named = self.composition.baseline if self.composition else None
        return named or next(iter(self.baselines))

    @property
    def blocks(self) -> tuple[str, ...]:
        """What mixtures by shares are made of: a baseline's corpus, and added sets."""
        named = self.composition.blocks if self.composition else None
        return named or (self.composed_baseline, *self.added)

    @property
    def training_datasets(self) -> tuple[str, ...]:
        """Ids of the datasets that any mixture draws from, in the order of the profile."""
        ids = [b.dataset for b in self.baselines.values()] + [d for a in self.added.values() for d in a.datasets]
        return tuple(dict.fromkeys(ids))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Ids of all datasets whose cells are used, training first."""
        return tuple(dict.fromkeys((*self.training_datasets, *(e.dataset for e in self.evaluations.values()))))
