"""Gene sets that the factors of models are compared with: pinned files, or, of simulated cells, the truth."""

from collections.abc import Callable

import pandas as pd

from datamix.corpora.fetch import fetch
from datamix.corpora.inventory import file_path
from datamix.project.files import replacing
from datamix.project.layout import Layout
from datamix.project.manifest import read_manifest
from datamix.project.spreadsheets import for_spreadsheets
from datamix.sources.formats.gmt import read_gmt
from datamix.sources.simulator.reader import programmes


def write_gene_sets(layout: Layout, *, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Write the gene sets of a profile, `corpora/gene_sets.csv`.

    Parameters
    ----------
    layout
        The profile and its folders.
    say
        Called with a line of progress a file that is fetched.

    Returns
    -------
    A row a set and gene: `source` (the set), `target` (the gene symbol). Those of the dataset that the profile names
    under `gene_sets`; without one, the simulator's programmes for simulated cells, and none for real ones.
    """
    name = layout.profile.gene_sets
    if name is not None:
        dataset = read_manifest(layout.root, layout.profile).dataset(name)
        fetch(name, dataset, root=layout.root, say=say)
        table = read_gmt({file.name: file_path(name, file, root=layout.root) for file in dataset.files})
    else:
        known = programmes() if layout.profile.simulated else {}
        rows = [(source, target) for source, genes in known.items() for target in genes]
        table = pd.DataFrame(rows, columns=["source", "target"])
    with replacing(layout.gene_sets) as beside:
        for_spreadsheets(table).to_csv(beside, index=False)
    return table
