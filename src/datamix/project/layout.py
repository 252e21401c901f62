"""Where everything that is made lies: one place for the paths under `results/<profile>/`."""

from dataclasses import dataclass
from pathlib import Path

from datamix.project.profile import Profile
from datamix.project.profile_files import project_root, read_profile


@dataclass(frozen=True)
class Layout:
    """Paths of one profile's results.

    Parameters
    ----------
    root
        The project's folder, which holds `data_manifest.yaml`.
    profile
        The profile.
    """

    root: Path
    profile: Profile

    @classmethod
    def of(cls, profile: str, root: Path | None = None) -> "Layout":
        """Return the layout of a profile given by name."""
        folder = root or project_root()
        return cls(folder, read_profile(profile, folder))

    @property
    def folder(self) -> Path:
        """`results/<profile>`."""
        return self.root / "results" / self.profile.name

    @property
    def genes(self) -> Path:
        """The genes shared by all training corpora (csv)."""
        return self.folder / "corpora" / "genes.csv"

    @property
    def gene_sets(self) -> Path:
        """The gene sets of the profile (csv)."""
        return self.folder / "corpora" / "gene_sets.csv"

    @property
    def scores(self) -> Path:
        """Reconstruction, a row a cell (parquet)."""
        return self.folder / "scores" / "reconstruction.parquet"

    def lock(self, name: str) -> Path:
        """Return the file by which processes keep out of each other's way; see `datamix.project.locks`."""
        return self.folder / ".locks" / f"{name}.lock"

    def corpus(self, dataset: str) -> Path:
        """Return the path of a corpus (h5ad)."""
        return self.folder / "corpora" / f"{dataset}.h5ad"

    def model(self, baseline: str, seed: int, mixture: str) -> Path:
        """Return the folder of a model."""
        return self.folder / "models" / baseline / f"seed{seed}" / mixture

    def model_list(self, baseline: str, seed: int) -> Path:
        """Return the list of the trained models of a baseline and seed (json)."""
        return self.folder / "models" / baseline / f"seed{seed}.json"

    def scores_of(self, baseline: str, seed: int) -> Path:
        """Return the scores of a baseline's models of one seed (parquet)."""
        return self.folder / "scores" / "parts" / f"{baseline}-seed{seed}.parquet"

    def latents_of(self, baseline: str, seed: int) -> Path:
        """Return where the evaluation cells lie in the latent spaces of a baseline's models of one seed (parquet)."""
        return self.folder / "latents" / f"{baseline}-seed{seed}.parquet"

    def gene_scores_of(self, baseline: str, seed: int) -> Path:
        """Return the residuals of each gene under a baseline's models of one seed (parquet)."""
        return self.folder / "scores" / "genes" / f"{baseline}-seed{seed}.parquet"

    def held_out_of(self, baseline: str, seed: int) -> Path:
        """Return the scores of cell types that a baseline's models of one seed have not seen (parquet)."""
        return self.folder / "scores" / "held_out" / f"{baseline}-seed{seed}.parquet"

    def yardsticks_of(self, baseline: str, seed: int) -> Path:
        """Return what stands beside the scores of a baseline's models of one seed: `scoring.yardsticks` (parquet)."""
        return self.folder / "scores" / "yardsticks" / f"{baseline}-seed{seed}.parquet"

    @property
    def second_round(self) -> Path:
        """Which mixtures by shares are trained second, and why (json)."""
        return self.folder / "composition" / "second_round.json"

    def composition_models(self, turn: str, seed: int) -> Path:
        """Return the list of the models of mixtures by shares of a round, first or second, and seed (json)."""
        return self.folder / "composition" / "models" / turn / f"seed{seed}.json"

    def composition_scores_of(self, turn: str, seed: int) -> Path:
        """Return the scores of the mixtures by shares of a round and seed (parquet)."""
        return self.folder / "composition" / "scores" / turn / f"seed{seed}.parquet"

    @property
    def composition_scores(self) -> Path:
        """Scores of all mixtures by shares, a row a cell (parquet)."""
        return self.folder / "composition" / "scores.parquet"

    @property
    def mixtures_by_shares(self) -> Path:
        """Shares and median scores of all mixtures by shares (csv)."""
        return self.folder / "composition" / "mixtures.csv"
