"""What a notebook says in its header: what it reads, and what a profile must have for it.

    # ---
    # jupyter:
    #   datamix:
    #     reads: [scores, corpora, config/paper.yaml]
    #     needs: {baselines: 2, seeds: 2, added: true, gene_sets: true, geneformer: true}

Each of `reads` is a word of `READS`, or a pattern of files in the project's folder. What a notebook computes and draws
with stands in its imports. Jupytext keeps the header in the `.ipynb`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from datamix.geneformer.tables import table_of
from datamix.project.errors import DatamixError, NotInProfileError
from datamix.project.layout import Layout
from datamix.project.profile import Profile
from datamix.project.settings import Settings
from datamix.publishing.words import counted


def _of_first_baseline(path: Callable[[Layout, str, int], Path]) -> Callable[[Layout], list[Path]]:
    return lambda layout: [path(layout, next(iter(layout.profile.baselines)), seed) for seed in layout.profile.seeds]


READS: dict[str, Callable[[Layout], list[Path]]] = {
    "scores": lambda layout: [layout.scores],
    "models": lambda layout: [layout.model_list(b, s) for b in layout.profile.baselines for s in layout.profile.seeds],
    "corpora": lambda layout: [layout.corpus(dataset) for dataset in layout.profile.datasets],
    "genes": lambda layout: [layout.genes],
    "gene_sets": lambda layout: [layout.gene_sets],
    "latents": _of_first_baseline(Layout.latents_of),
    "gene_scores": _of_first_baseline(Layout.gene_scores_of),
    "held_out": _of_first_baseline(Layout.held_out_of),
    "geneformer": lambda layout: [table_of(layout)] if layout.profile.geneformer else [],
    "yardsticks": _of_first_baseline(Layout.yardsticks_of),
    "composition": lambda layout: (
        [layout.composition_scores, layout.second_round] if layout.profile.composition else []
    ),
}
"""What a word stands for; what is read out of latent spaces, of genes and of types held out is the first baseline's.
A profile that has no Geneformer, or no mixtures by shares, has no files of them, and notebooks that can do without run.
"""


FEWEST_MIXTURES = 3
"""Of random shares, to judge a law of mixtures by."""


class Needs(Settings):
    """What a profile must have."""

    baselines: Annotated[int, Field(gt=0)] = 1
    seeds: Annotated[int, Field(gt=0)] = 1
    added: bool = False
    """A set that is added to a baseline."""
    gene_sets: bool = False
    geneformer: bool = False
    composition: bool = False
    """Mixtures by shares."""
    doses: bool = False
    """Some of them as doses of a block."""


class FrontMatter(Settings):
    """A notebook's part of its header."""

    reads: Annotated[tuple[str, ...], Field(strict=False)] = ("scores", "models", "corpora", "genes")
    """A notebook that does not say may read any of these."""
    needs: Needs = Needs()

    def files(self, layout: Layout) -> list[Path]:
        """Return the files that the notebook reads under a profile; none where the profile lacks what it needs."""
        if self.unmet(layout.profile) is not None:
            return []
        found = [READS[word](layout) if word in READS else sorted(layout.root.glob(word)) for word in self.reads]
        return list(dict.fromkeys(path for paths in found for path in paths))

    def unmet(self, profile: Profile) -> str | None:
        """Say what a profile lacks of what the notebook needs, as a clause; None where it has all."""
        needs, lacking = self.needs, []
        if len(profile.baselines) < needs.baselines:
            lacking.append(f"it has {counted(len(profile.baselines), 'baseline')}, not {needs.baselines}")
        if len(profile.seeds) < needs.seeds:
            lacking.append(f"it has {counted(len(profile.seeds), 'seed')}, not {needs.seeds}")
        if needs.added and not profile.added:
            lacking.append("it adds no set")
        if needs.gene_sets and not (profile.gene_sets or profile.simulated):
            lacking.append("it names no gene sets")
        if needs.geneformer and profile.geneformer is None:
            lacking.append("it does not train Geneformer")
        if (needs.composition or needs.doses) and profile.composition is None:
            lacking.append("it has no mixtures by shares")
        elif profile.composition is not None:
            if needs.composition and not profile.composition.coalitions:
                lacking.append("its mixtures by shares have no coalitions")
            if needs.composition and profile.composition.mixtures < FEWEST_MIXTURES:
                lacking.append(f"fewer than {FEWEST_MIXTURES} of its mixtures by shares are random")
            if needs.doses and not profile.composition.doses:
                lacking.append("it gives no set in doses")
        return " and ".join(lacking) or None

    def require(self, profile: Profile) -> None:
        """Stop where a profile lacks what the notebook needs.

        Raises
        ------
        NotInProfileError
            With what is lacking, and the reasons that the profile gives under `missing`.
        """
        unmet = self.unmet(profile)
        if unmet is not None:
            words = {"baseline": self.needs.baselines > 1, "geneformer": self.needs.geneformer}
            asked = [word for word, is_asked in words.items() if is_asked]
            reasons = [why for part, why in profile.missing.items() if any(part.endswith(word) for word in asked)]
            msg = " ".join([f"Not in this profile, because {unmet} (profile {profile.name}).", *reasons])
            raise NotInProfileError(msg)


def read_front_matter(script: Path) -> FrontMatter:
    """Read what a notebook says in its header.

    Parameters
    ----------
    script
        The percent script, `notebooks/<name>.py`.

    Raises
    ------
    DatamixError
        If the header is malformed, or a word of `reads` is not known.
    """
    try:
        header = yaml.safe_load(_header(script)) or {}
        front = FrontMatter.model_validate(header.get("jupyter", {}).get("datamix", {}))
    except (yaml.YAMLError, ValidationError) as error:
        msg = f"{script}: the header cannot be read: {error}"
        raise DatamixError(msg, fix="write it as `datamix.publishing.front_matter` says") from error
    unknown = [word for word in front.reads if word not in READS and not {"/", "."} & set(word)]
    if unknown:
        msg = f"{script}: nothing is known of {', '.join(unknown)} under `reads`."
        raise DatamixError(msg, fix=f"name {', '.join(READS)}, or files by their path in the project")
    return front


def _header(script: Path) -> str:
    lines = script.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != "# ---":
        return ""
    end = lines.index("# ---", 1) if "# ---" in lines[1:] else len(lines)
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[1:end])
