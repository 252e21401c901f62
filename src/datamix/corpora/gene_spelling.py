"""What the name of a gene says: an Ensembl id, a symbol, or either as tools and spreadsheets spoil it.

Ensembl's form of ids: https://www.ensembl.org/info/genome/stable_ids/; `_PAR_Y` is GENCODE's mark for the copies of
pseudoautosomal genes on the Y chromosome (ENSGR in its older releases). Symbols that spreadsheets turn into dates:
Zeeberg et al. 2004, doi 10.1186/1471-2105-5-80.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

PAR_Y = "copy on the Y chromosome"
_SIMULATED = "artificial gene of the simulator"
_SIMULATED_ID = r"SIMG\d{10}"
_ID = re.compile(r"(?:^|[_|:;,.\s-])(ENSG(?:R0|\d\d)\d{9})(\.\d+)?(_PAR_Y)?(?=$|[_|:;,\s-])")
_HUMAN_GENOME = re.compile(
    r"^(?:GRCh3[78]|hg19|hg38|b37|hs37d5|homo_sapiens|human)(?:_{1,}|[.-]+)(?=\S)", re.IGNORECASE
)
_FOREIGN_GENOME = {
    "mouse": re.compile(r"^(?:mm9|mm10|mm39|GRCm3[89]|mus_musculus|mouse)(?:_{1,}|[.-]+)(?=\S)", re.IGNORECASE),
    "rat": re.compile(r"^(?:rn[67]|Rnor|mRatBN\w*)_+(?=\S)", re.IGNORECASE),
}
_FOREIGN_ID = {
    "mouse": r"ENSMUSG\d",
    "rat": r"ENSRNOG\d",
    "zebrafish": r"ENSDARG\d",
    "macaque": r"ENSM(?:MU|FA|NE)G\d",
    "pig": r"ENSSSCG\d",
    "chicken": r"ENSGALG\d",
    "fly": r"FBgn\d",
    "worm": r"WBGene\d",
    "another vertebrate": r"ENS(?!G|T|P|E)[A-Z]{3,6}G\d{11}",
}
_DATE = re.compile(r"^(?:(\d{1,2})-(mar|sep|sept|dec)|(mar|sep|sept|dec)-(\d{1,2}))$", re.IGNORECASE)
_OF_MONTH = {"mar": ("MARCHF", "MARCH"), "sep": ("SEPTIN", "SEPT"), "dec": ("DELEC", "DEC")}
_MARC = {"1", "2"}  # 1-Mar is MARCH1 or MARC1
# RefSeq writes the genes of the mitochondrion without MT-.
_BARE = {"ND1", "ND2", "ND3", "ND4", "ND4L", "ND5", "ND6", "ATP6", "ATP8", "CYTB", "COX1", "COX2", "COX3"}
_BARE_AT_LEAST = 8
_MT_OF = {"COX1": "MT-CO1", "COX2": "MT-CO2", "COX3": "MT-CO3", "CYTB": "MT-CYB"}


@dataclass(frozen=True)
class Spellings:
    """What the names of a source say; series of one length, a row a gene."""

    names: pd.Series
    ids: pd.Series
    """Ensembl ids without version; missing where a name is not understood."""
    symbols: pd.Series
    """Symbols as understood; missing where the name is an id only."""
    how: pd.Series
    """How a name was understood."""
    organism: pd.Series
    """The organism, where it is not human."""
    repeats: pd.Series
    """Whether a name is another's, made unique by a suffix (`GENE.1`, `GENE-1`)."""

    @property
    def is_ensembl(self) -> pd.Series:
        """Whether each name holds a human Ensembl gene id, or stands for one in simulated cells."""
        return self.how.fillna("").str.startswith("Ensembl id") | self.how.isin([PAR_Y, _SIMULATED])

    @property
    def example_of_foreign(self) -> str:
        """A name of another organism."""
        return str(self.names[self.organism.notna()].iloc[0])

    @property
    def looks_like_mouse(self) -> bool:
        """Whether names that are not known are mostly written as mouse symbols are: Actb, not ACTB."""
        unknown = self.names[self.ids.isna()]
        return len(unknown) > 0 and bool(unknown.str.match(r"^(?:[A-Z][a-z]+[a-z0-9]*|mt-[A-Z])").mean() > 0.5)

    def preferring(self, other: "Spellings") -> "Spellings":
        """Take the other's ids, where it has them; symbols stay."""
        better = other.ids.notna()
        return replace(
            self,
            ids=self.ids.where(~better, other.ids),
            symbols=self.symbols.where(self.symbols.notna() | self.is_ensembl | ~better, self.names),
            how=self.how.where(~better, "Ensembl id beside the name").where(other.how != PAR_Y, PAR_Y),
            organism=self.organism.where(self.organism.notna() | better, other.organism),
            repeats=self.repeats & ~better,
        )


def other_organisms(found: Spellings) -> dict[str, int]:
    """Count the genes of other organisms."""
    return {str(name): int(n) for name, n in found.organism.value_counts().items()}


def spell(names: pd.Series, *, table: pd.DataFrame | None) -> Spellings:
    """Understand the names of genes.

    Parameters
    ----------
    names
        As the source has them (n_genes,).
    table
        Columns `gene` and `symbol` (unique); without one only Ensembl ids are understood.
    """
    names = names.reset_index(drop=True)
    text = names.str.strip().str.strip("\"'")
    organism = _organism(text)
    bare = text.str.replace(_HUMAN_GENOME, "", regex=True)
    prefixed = bare != text
    ids, symbols, how = (pd.Series(None, index=names.index, dtype=object) for _ in range(3))

    parts = bare.str.extract(_ID)
    with_id = parts[0].notna() & organism.isna()
    ids[with_id] = parts[0][with_id].str.replace("ENSGR", "ENSG0", regex=False).str[:15]
    rest = bare.str.replace(_ID, "", regex=True).str.strip("_|:;,. -")
    how[with_id] = np.select(
        [
            (parts[2].notna() | parts[0].str.startswith("ENSGR", na=False))[with_id],
            (rest != "")[with_id],
            prefixed[with_id],
            parts[1].notna()[with_id],
        ],
        [PAR_Y, "Ensembl id beside a symbol", "Ensembl id with a genome's prefix", "Ensembl id with version"],
        "Ensembl id",
    )
    symbols[with_id & (rest != "")] = rest[with_id & (rest != "")]
    simulated = text.str.fullmatch(_SIMULATED_ID)
    ids[simulated], how[simulated] = text[simulated], _SIMULATED
    result = Spellings(names, ids, symbols, how, organism, pd.Series(data=False, index=names.index))
    return result if table is None else _by_symbol(result, bare, prefixed, table)


def _by_symbol(found: Spellings, bare: pd.Series, prefixed: pd.Series, table: pd.DataFrame) -> Spellings:
    id_of = table.set_index("symbol")["gene"]
    present = set(table.drop_duplicates("gene")["symbol"])
    ids, symbols, how = found.ids.copy(), found.symbols.copy(), found.how.copy()

    def take(chosen: pd.Series, of: pd.Series, label: pd.Series | str) -> None:
        mapped = of.map(id_of)
        chosen = chosen & ids.isna() & found.organism.isna() & mapped.notna()
        ids[chosen], symbols[chosen] = mapped[chosen], of[chosen]
        how[chosen] = label if isinstance(label, str) else label[chosen]

    every = pd.Series(data=True, index=bare.index)
    exact = pd.Series(np.where(bare.isin(present), "symbol", "earlier symbol"), index=bare.index)
    take(every, bare, exact.mask(prefixed, "symbol with a genome's prefix"))
    # GENE.1 and GENE-1 beside GENE: a name that was made unique.
    base = bare.str.replace(r"[.-]\d{1,2}$", "", regex=True)
    repeats = ids.isna() & (base != bare) & base.isin(set(bare)) & base.isin(id_of.index)
    spoilt = pd.Series(id_of.index.map(make_names), index=id_of.index)
    spoilt = spoilt[(spoilt.to_numpy() != spoilt.index) & ~spoilt.duplicated(keep=False).to_numpy()]
    back = pd.Series(spoilt.index, index=spoilt.to_numpy())
    take(~repeats, bare.map(back), "symbol as R's make.names writes it")
    take(every, bare.str.replace(r"(?i)^MT[:_](?=[A-Z])", "MT-", regex=True), "mitochondrial gene written otherwise")
    capitals = bare.str.replace(r"^C(\d{1,2}|X|Y)ORF(\d+)", r"C\1orf\2", regex=True)
    take(every, capitals, "symbol in capitals")
    take(every, bare.map(lambda name: _undo_date(name, id_of.index)), "symbol that became a date")
    if not symbols.str.startswith("MT-", na=False).any() and bare.isin(_BARE).sum() >= _BARE_AT_LEAST:
        # COX1 and COX2 are also old names of PTGS1 and PTGS2: here they stand among the mitochondrion's.
        mine = bare.isin(_BARE)
        ids[mine] = None
        take(mine, bare.map(lambda name: _MT_OF.get(name, f"MT-{name}")), "mitochondrial gene without MT-")
    return replace(found, ids=ids, symbols=symbols, how=how, repeats=repeats & ids.isna())


def make_names(name: str) -> str:
    """Write a name as R's `make.names` does, which `read.csv` and `data.frame` apply to columns."""
    name = re.sub(r"[^A-Za-z0-9._]", ".", name)
    return name if re.match(r"^(?:[A-Za-z]|\.(?!\d))", name) else f"X{name}"


def _undo_date(name: str, symbols: pd.Index) -> str | None:
    match = _DATE.match(name)
    if match is None:
        return None
    number, month = (match[1] or match[4]).lstrip("0"), (match[2] or match[3]).lower()[:3]
    if month == "mar" and number in _MARC:
        return None
    return next((s for s in (f"{stem}{number}" for stem in _OF_MONTH[month]) if s in symbols), None)


def _organism(text: pd.Series) -> pd.Series:
    found = pd.Series(None, index=text.index, dtype=object)
    for organism, pattern in _FOREIGN_GENOME.items():
        found[found.isna() & text.str.match(pattern)] = organism
    for organism, form in _FOREIGN_ID.items():
        found[found.isna() & text.str.contains(rf"(?:^|[^A-Za-z0-9]){form}", regex=True)] = organism
    return found
