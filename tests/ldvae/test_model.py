"""What is left of a model that nobody has any more."""

import gc
import weakref

from benchmarks.measure import simulate
from scvi.model import LinearSCVI

from datamix.ldvae import model as ldvae
from datamix.ldvae.training import train
from datamix.project.profile import Training


def test_the_cells_of_a_model_go_with_it(tmp_path):
    before = dict(LinearSCVI._per_instance_manager_store), dict(LinearSCVI._setup_adata_manager_store)
    cells = simulate(50, 20)
    made = train(cells, seed=0, settings=Training(n_latent=2, max_epochs=1))
    ldvae.save(made, tmp_path / "model", provenance={})
    loaded = ldvae.load(tmp_path / "model")
    assert loaded.get_latent_representation(cells).shape == (50, 2)
    kept = [weakref.ref(model.adata) for model in (made, loaded)]
    del made, loaded
    gc.collect()
    assert [cells() for cells in kept] == [None, None]
    assert (LinearSCVI._per_instance_manager_store, LinearSCVI._setup_adata_manager_store) == before
