import numpy as np
import pandas as pd
import pytest
from layouts import truncate, write_gct

from datamix.project.errors import DatamixError
from datamix.sources.readers.gtex import genes_above, read_gtex, z_scores

TISSUES = ["Lung", "Liver", "Whole Blood", "Testis"]
TPM = pd.DataFrame(
    [[1.0, 2, 9, 4], [5, 5, 0, 5], [0, 0, 0, 0], [3, 3, 3, 3], [0, 0, 1, 0], [9, 0, 0, 0]],
    index=[f"ENSG0000000000{i}.{i}" for i in range(6)],
    columns=TISSUES,
    dtype=float,
)
SYMBOLS = ["GATA1", "SOX2", "SHOX", "FLAT", "TWICE", "TWICE"]


@pytest.fixture(params=["medians.gct", "medians.gct.gz"])
def path(request, tmp_path):
    return write_gct(tmp_path / request.param, TPM, SYMBOLS)


def test_table(path):
    table = read_gtex({"gtex": path})
    assert (table.to_numpy() == TPM.to_numpy()).all()
    assert table.index.tolist() == list(zip(TPM.index, SYMBOLS, strict=True))


def test_z_scores(path):
    z = z_scores(read_gtex({"gtex": path}), tissue="Whole Blood")
    assert "SHOX" not in z.index  # zero everywhere
    for gene, values in zip(SYMBOLS, TPM.to_numpy(), strict=True):
        if gene in ("GATA1", "SOX2"):
            mean = sum(values) / 4
            deviation = (sum((v - mean) ** 2 for v in values) / 3) ** 0.5
            assert z[gene] == pytest.approx((values[2] - mean) / deviation)
    assert np.isnan(z["FLAT"])
    assert z["TWICE"].tolist() == pytest.approx([1.5, -0.5])
    assert genes_above(z, threshold=-0.25) == {"GATA1", "TWICE"}  # SOX2 is at -1.5, one row of TWICE is above
    with pytest.raises(DatamixError, match="has no column 'Blood'; it has Lung, Liver, Whole Blood, Testis"):
        z_scores(TPM, tissue="Blood")


def test_bad_files(tmp_path):
    path = write_gct(tmp_path / "medians.gct", TPM, SYMBOLS)
    text = path.read_text()
    for changed, message in (
        (text.replace("#1.2", "#1.3"), r"medians\.gct begins with '#1\.3'; expected '#1\.2'"),
        (
            text.replace("6\t4\n", "7\t4\n"),
            r"medians\.gct is 6 × 4 \(genes × tissues\), but its second line says 7 × 4",
        ),
        (text.replace("Description", "Symbol"), r"medians\.gct has no column 'Description'; it has Name, Symbol"),
        (
            text.replace("9.0", "-0.7", 1),
            r"column 'Whole Blood' has -0\.7 for ENSG00000000000\.0; expected TPM, not below 0",
        ),
        (text.replace("9.0", "", 1), r"column 'Whole Blood' has ''"),
    ):
        path.write_text(changed)
        with pytest.raises(DatamixError, match=message):
            read_gtex({"gtex": path})


def test_truncated(tmp_path):
    for name in ("medians.gct", "medians.gct.gz"):
        path = truncate(write_gct(tmp_path / name, TPM, SYMBOLS))
        with pytest.raises(DatamixError, match=rf"{name}"):
            read_gtex({"gtex": path})
