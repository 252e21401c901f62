"""Bad input: wrong manifests, profiles and files; each ends in a sentence: expected, found, and what mends it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bad_project import PREPARE, manifest_text, must_say
from command import datamix, nothing_left

Change = Callable[[str], bytes]


def entry(**changes: object) -> Change:
    """Change keys of the dataset `mine`."""

    def change(text: str) -> bytes:
        content = yaml.safe_load(text)
        content["datasets"]["mine"] |= changes
        return yaml.safe_dump(content).encode()

    return change


def file_entry(**changes: object) -> Change:
    """Change keys of its file."""
    return entry(files=[{"name": "cells.h5ad", "steps": "put it there"} | changes])


def more(text: str) -> Change:
    return lambda before: (before + text).encode()


def only(content: str | bytes) -> Change:
    return lambda _: content.encode() if isinstance(content, str) else content


def options(**given: object) -> Change:
    return entry(options=given)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MANIFESTS = {
    "a tab for blanks": (only("datasets:\n\tmine: {}\n"), "not valid YAML"),
    "nothing in it": (only(""), "valid"),
    "a list": (only("- mine\n"), "valid"),
    "a number": (only("3\n"), "valid"),
    "no datasets": (only("datasets:\n"), "datasets"),
    "a key that nobody knows": (entry(colour="red"), r"unknown key 'datasets\.mine\.colour'"),
    "a key twice": (more("datasets: {}\n"), "stands twice"),
    "two documents": (more("---\ndatasets: {}\n"), "not valid YAML"),
    "a bomb of aliases": (more(BOMB), "more than 100,000 entries"),
    "an alias within itself": (only("datasets: &a [*a]\n"), "within what it repeats"),
    "a depth of thousands": (only("datasets: " + "[" * 5000 + "]" * 5000), "nested too deep"),
    "UTF-16": (only("datasets: {}\n".encode("utf-16")), "not text in UTF-8"),
    "Latin-1": (only("datasets: {} # größe\n".encode("latin-1")), "not text in UTF-8"),
    "NUL bytes": (only(b"datasets: {}\n\0\0"), "not valid YAML"),
    "ten megabytes": (more("#" * 10_000_000), "expected at most"),
    "a day that is not": (more("day: 2024-99-99\n"), "cannot be read"),
    "a number without end": (more("n: " + "9" * 5000), "cannot be read|unknown key"),
    "an object of Python": (more("x: !!python/object/apply:os.system ['true']\n"), "not valid YAML"),
    "a list as a key": (more("? [a, b]\n: c\n"), "cannot be a key"),
    "a merge of nothing": (more("<<: 3\n"), "not valid YAML"),
    "an escape sequence as a key": (more('"\\e[31mred": 3\n'), r"unknown key '\\x1b\[31mred"),
    "a hundred wrong keys": (more("".join(f"key{i}: 1\n" for i in range(100))), "and 95 more"),
    "a title that is a number": (entry(title=3), "datasets.mine.title"),
    "a megabyte of text where a number is wanted": (file_entry(bytes="x" * 1_000_000), r"files\.0\.bytes"),
    "access that is none": (entry(access="secret"), r"datasets\.mine\.access"),
    "no files": (entry(files=[]), "needs files"),
    "a file twice": (entry(files=[{"name": "a", "url": "u"}, {"name": "a", "url": "v"}]), "same name"),
    "a file that climbs": (file_entry(name="../../etc/passwd"), r"files\.0\.name"),
    "a file called ..": (file_entry(name=".."), "file name"),
    "a file called as the lock": (file_entry(name=".lock"), "file name"),
    "a file with a line break": (file_entry(name="a\nb"), "file name"),
    "a file with NUL": (file_entry(name="a\0b"), "file name"),
    "a file of three hundred letters": (file_entry(name="a" * 300), "file name"),
    "a path with NUL": (file_entry(path="a\0b"), "neither a path"),
    "a blank address": (file_entry(url=" "), "neither a path"),
    "neither path nor address": (entry(files=[{"name": "a"}]), "neither path nor url nor steps"),
    "a sha256 cut short": (file_entry(sha256="12ab"), r"files\.0\.sha256"),
    "fewer than no bytes": (file_entry(bytes=-1), r"files\.0\.bytes"),
    "gigabytes without end": (file_entry(about_gb=float("inf")), r"files\.0\.about_gb"),
    "a DOI that is none": (entry(citation={"text": "x", "doi": "see the web"}), "doi"),
    "symbols without a table": (entry(gene_table=None), "need a gene_table"),
    "a table that is not there": (entry(gene_table="nowhere"), "nowhere"),
    "a table that is itself": (entry(gene_table="mine"), "is no table of genes"),
    "a reader that nobody knows": (entry(reader="excel"), "excel"),
    "an option that the reader does not take": (options(colour="red"), "colour"),
    "an option of another type": (options(cell_type=3), "cell_type"),
    "a rule that nobody knows": (options(cell_type={"rule": "guess"}), "guess"),
    "a rule without its file": (options(donor={"rule": "column", "file": "b.csv", "column": "d"}), "b.csv"),
    "a column that is not there": (options(cell_type="cel_type"), "celltype"),
    "a filter that leaves nothing": (options(keep={"celltype": "Neuron"}), "keep leaves no cell"),
    "a filter of another type": (options(keep="celltype"), "keep"),
    "a matrix that is not there": (options(matrix="layers/none"), "layers/none"),
    "an id with a command in it": (more("  $(touch x): {}\n"), r"\$\(touch x\)"),
    "an id with quotes": (more("  'a\"b': {}\n"), 'a"b'),
    "ids said as Ensembl that are symbols": (entry(gene_ids="ensembl", gene_table=None), "Ensembl|ENSG"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_wrong_manifest(bad_project, case):
    """A manifest, or an entry of it, that is wrong."""
    change, words = MANIFESTS[case]
    (bad_project / "data_manifest.yaml").write_bytes(change(manifest_text(bad_project)))
    must_say(bad_project, words)


def profile(**changes: object) -> Change:
    return lambda text: yaml.safe_dump(yaml.safe_load(text) | changes).encode()


EVALUATION = {"label": "E", "dataset": "mine", "group": "non-disease"}
ADDED = {"label": "A", "datasets": ["mine"]}
OWN = {"title": "t", "reader": "file", "access": "own", "files": [{"name": "a", "path": "a"}]}


def baseline(name: str) -> Change:
    return profile(baselines={name: {"label": "B", "dataset": "mine"}})


def evaluation(**changes: object) -> Change:
    return profile(evaluations={"e": EVALUATION | changes})


def composition(**changes: object) -> Change:
    return profile(added={"a": ADDED}, composition={"cells": 40} | changes)


PROFILES = {
    "nothing in it": (only(""), "valid"),
    "a key that nobody knows": (profile(colour="red"), "unknown key 'colour'"),
    "a bomb of aliases": (more(BOMB), "more than 100,000 entries"),
    "the name of another file": (profile(name="other"), "the file's own name"),
    "a name that climbs": (profile(name="../x"), "'name'"),
    "a name with a command in it": (profile(name="$(touch x)"), "'name'"),
    "a name with a line break": (profile(name="tiny\n"), "'name'"),
    "no baseline": (profile(baselines={}), "baselines"),
    "a baseline with a plus": (baseline("a+b"), r"a\+b"),
    "a baseline with a command in it": (baseline("$(x)"), "letters"),
    "a baseline of two hundred letters": (baseline("a" * 200), "at most"),
    "a set as a baseline and as an addition": (profile(added={"blood": ADDED}), "both under baselines and under added"),
    "a set that is named as a control": (profile(added={"blood_690": ADDED}), "name of a control"),
    "an addition of nothing": (profile(added={"a": {"label": "A", "datasets": []}}), "datasets"),
    "no cells": (profile(cells=0), "cells"),
    "half a cell": (profile(cells=0.5), "cells"),
    "a seed twice": (profile(seeds=[0, 0]), "twice"),
    "a seed below zero": (profile(seeds=[-1]), "seeds"),
    "a seed that no generator takes": (profile(seeds=[2**70]), "seeds"),
    "no seeds": (profile(seeds=[]), "seeds"),
    "mitochondria in per cent": (profile(qc={"max_mito": 10}), "fraction from 0 to 1"),
    "mitochondria that are no number": (profile(qc={"max_mito": float("nan")}), "max_mito"),
    "counts without end": (profile(qc={"min_counts": float("inf")}), "min_counts"),
    "a rate of learning without end": (profile(training={"lr": float("inf")}), "lr"),
    "a batch of one": (profile(training={"batch_size": 1}), "batch_size"),
    "a trainer that nobody knows": (profile(training={"trainer": "magic"}), "magic"),
    "a group that nobody knows": (evaluation(group="odd"), "odd"),
    "donors shared with no training set": (evaluation(shares_donors_with={"x": "why"}), "no training dataset"),
    "memory for nothing": (profile(memory_mb=1), "memory_mb"),
    "a dataset of the manifest again": (profile(datasets={"mine": OWN}), "another name"),
    "heads that do not share a width": (profile(geneformer={"width": 33, "heads": 2}), "multiple"),
    "doses of more than half": (composition(doses=[30]), "dose"),
    "mixtures of one set": (composition(blocks=["a", "a"]), "each once"),
    "a composition on no baseline": (composition(baseline="x"), "no baseline"),
    "filters that leave no cell": (profile(qc={"min_counts": 1e9, "max_mito": 0.5}), "keeps none of 40"),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_wrong_profile(bad_project, case):
    """A profile that is wrong."""
    change, words = PROFILES[case]
    path = bad_project / "config" / "tiny.yaml"
    path.write_bytes(change(path.read_text()))
    must_say(bad_project, words)


NAMES = ["nowhere", "../tiny", "tiny; touch x", "$(touch x)", "a\nb", "a" * 300, "", ".", "-x", "\x1b[31m", "é"]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_that_is_not_there(bad_project, name):
    """A name for which there is no profile, whatever stands in it."""
    with nothing_left(bad_project):
        said = datamix(bad_project, "prepare", "mine", "--profile", name)
    said.must_be_one_clear_error()


def test_a_profile_of_a_name_that_is_taken(bad_project):
    """A profile that would lie where the benchmark does."""
    text = (bad_project / "config" / "tiny.yaml").read_text()
    (bad_project / "config" / "bench.yaml").write_text(text.replace("name: tiny", "name: bench"))
    with nothing_left(bad_project):
        said = datamix(bad_project, "prepare", "mine", "--profile", "bench")
    said.must_be_one_clear_error()
    assert "cannot be called bench" in said.text


@pytest.mark.parametrize("name", ["data_manifest.yaml", "config/tiny.yaml"])
def test_a_folder_in_place_of_a_file(bad_project: Path, name):
    """A folder where the manifest or profile should be."""
    (bad_project / name).unlink()
    (bad_project / name).mkdir()
    must_say(bad_project, "is a folder|No data_manifest")


@pytest.mark.parametrize("name", ["nowhere", "../mine", "mine; touch x", "$(touch x)", "a" * 300, "a\nb", ""])
def test_a_dataset_that_is_not_there(bad_project, name):
    """An id of which there is no dataset, whatever stands in it."""
    with nothing_left(bad_project):
        datamix(bad_project, *PREPARE[:1], name, *PREPARE[2:]).must_be_one_clear_error()
        datamix(bad_project, "data", "fetch", name, "--profile", "tiny").must_be_one_clear_error()
