import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from layouts import truncate, write_pickle

from datamix.project.errors import DatamixError
from datamix.sources.readers.geneformer_dictionaries import read_geneformer_dictionaries, read_plain_pickle

TOKENS = {"<pad>": 0, "<mask>": 1, "ENSG00000000003": 2, "ENSG00000000005": 3}
MEDIANS = {"ENSG00000000003": 2.0011186, "ENSG00000000005": 3.1}
IDS = {"TSPAN6": "ENSG00000000003", "TNMD": "ENSG00000000005"}
NAMES = {"token_dictionary.pkl": TOKENS, "gene_median_dictionary.pkl": MEDIANS, "gene_name_id_dict.pkl": IDS}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_dictionaries_are_read(tmp_path, protocol):
    files = {name: write_pickle(tmp_path / name, content, protocol=protocol) for name, content in NAMES.items()}
    assert read_geneformer_dictionaries(files) == {n.removesuffix(".pkl"): content for n, content in NAMES.items()}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)  # nothing is written beside them


def test_other_content_under_the_same_name_and_time_is_read_anew(tmp_path):
    """A file may be replaced by an older one: what counts is what it holds."""
    path = write_pickle(tmp_path / "token_dictionary.pkl", TOKENS)
    assert read_geneformer_dictionaries({path.name: path})["token_dictionary"] == TOKENS
    stat = path.stat()
    write_pickle(path, TOKENS | {"ENSG00000000005": 4})
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_geneformer_dictionaries({path.name: path})["token_dictionary"]["ENSG00000000005"] == 4


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("module", ["numpy._core.multiarray", "numpy.core.multiarray"])
def test_numbers_of_numpy_are_numbers(tmp_path, protocol, module):
    """As published: by NumPy 1 and by NumPy 2, which names the same function otherwise."""
    tokens = {gene: np.int64(token) for gene, token in TOKENS.items()}
    medians = {gene: np.float64(median) for gene, median in MEDIANS.items()}
    for name, content in (("token_dictionary_gc104M.pkl", tokens), ("gene_median_dictionary_gc104M.pkl", medians)):
        pickled = pickle.dumps(content, protocol=protocol)
        (tmp_path / name).write_bytes(_renamed(pickled, module.encode()))
    read = read_geneformer_dictionaries({path.name: path for path in tmp_path.iterdir()})
    assert read == {"token_dictionary": TOKENS, "gene_median_dictionary": MEDIANS}
    assert {type(v) for v in read["token_dictionary"].values()} == {int}
    assert {type(v) for v in read["gene_median_dictionary"].values()} == {float}


def _renamed(pickled: bytes, module: bytes) -> bytes:
    """Name the module of NumPy's scalars, whichever it is; from protocol 4 on the name's length stands before it."""
    for known in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        pickled = pickled.replace(bytes([len(known)]) + known, bytes([len(module)]) + module)
        pickled = pickled.replace(b"c" + known + b"\n", b"c" + module + b"\n")
    assert module in pickled
    if pickled[2:3] == pickle.FRAME:
        pickled = pickled[:3] + (len(pickled) - 11).to_bytes(8, "little") + pickled[11:]
    return pickled


@pytest.mark.parametrize("kind", ["<i8", ">i4", "<u2", "<f8", ">f4", "<f2"])
def test_numbers_of_numpy_of_every_size(tmp_path, kind):
    number = np.dtype(kind).type(3)
    path = write_pickle(tmp_path / "a.pkl", {"a": np.array([3], dtype=kind)[0], "b": number})
    assert read_plain_pickle(path) == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([1, 2]), r"numpy\._?core\.\S+\._reconstruct"),
        (np.str_("text"), r"numpy\.dtype\('U4'\), which is no number"),
        (np.datetime64("2020-01-01"), r"numpy\.dtype\('M8'\), which is no number"),
        (np.dtype([("a", "f8")]).type, r"numpy\.void"),
        (np.bool_(True), r"numpy\.dtype\('b1'\), which is no number"),
    ],
)
def test_other_things_of_numpy_are_refused(tmp_path, content, message):
    path = write_pickle(tmp_path / "token_dictionary.pkl", {"ENSG1": content})
    with pytest.raises(DatamixError, match=f"asks to import {message}"):
        read_plain_pickle(path)


@pytest.mark.parametrize(
    "program",
    [
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRS'x'\ntR.",  # an object, by its pickle
        b"cnumpy.core.multiarray\nscalar\n(S'f8'\nS'12345678'\ntR.",
        b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
    ],
)
def test_what_stands_for_numpy_takes_numbers_only(tmp_path, program):
    path = tmp_path / "token_dictionary.pkl"
    path.write_bytes(program)
    with pytest.raises(DatamixError, match=r"asks to import .*Nothing was run"):
        read_plain_pickle(path)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_malicious_pickle_is_refused_and_does_nothing(tmp_path, protocol):
    victim = tmp_path / "victim"
    path = write_pickle(tmp_path / "token_dictionary.pkl", {"ENSG1": Malicious(victim)}, protocol=protocol)
    with pytest.raises(DatamixError, match=r"token_dictionary\.pkl asks to import .*Nothing was run"):
        read_geneformer_dictionaries({"token_dictionary.pkl": path})
    assert not victim.exists()
    pickle.loads(path.read_bytes())  # the stock unpickler would have run it
    assert victim.exists()


def test_old_opcodes_and_outside_objects_are_refused(tmp_path):
    path = tmp_path / "token_dictionary.pkl"
    for content, name in ((b"(S'true'\nios\nsystem\n.", "os.system"), (b"Pmy id\n.", "outside object 'my id'")):
        path.write_bytes(content)
        with pytest.raises(DatamixError, match=f"asks to import (the )?{name}"):
            read_plain_pickle(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("token_dictionary.pkl", {"ENSG1": 1.5}, "'ENSG1' → 1.5; expected text → int"),
        ("token_dictionary.pkl", {"ENSG1": True}, "'ENSG1' → True; expected text → int"),
        ("token_dictionary.pkl", {7: 1}, "7 → 1; expected text → int"),
        ("token_dictionary.pkl", [1, 2], "holds a list; expected a dictionary"),
        ("token_dictionary.pkl", {}, "holds a dict; expected a dictionary that is not empty"),
        ("gene_median_dictionary.pkl", {"ENSG1": 0.0}, "'ENSG1' → 0.0; expected text → float, finite and above 0"),
        ("gene_median_dictionary.pkl", {"ENSG1": float("nan")}, "'ENSG1' → nan; expected text → float"),
        ("gene_median_dictionary.pkl", TOKENS, "'<pad>' → 0; expected text → float"),
        ("gene_name_id_dict.pkl", {"TSPAN6": ["ENSG1"]}, "'TSPAN6' → .'ENSG1'.; expected text → str"),
        ("token_dictionary.pkl", collections.OrderedDict(a=1), "asks to import collections.OrderedDict"),
        ("gene_median_dictionary.pkl", {"ENSG1": np.int64(2)}, "'ENSG1' → 2; expected text → float"),
        ("token_dictionary.pkl", {"ENSG1": np.float64(2)}, "'ENSG1' → 2.0; expected text → int"),
    ],
)
def test_other_content_is_refused(tmp_path, name, content, message):
    path = write_pickle(tmp_path / name, content)
    with pytest.raises(DatamixError, match=message):
        read_geneformer_dictionaries({name: path})


def test_truncated_and_unknown_files(tmp_path):
    path = truncate(write_pickle(tmp_path / "token_dictionary.pkl", TOKENS))
    with pytest.raises(DatamixError, match=r"token_dictionary\.pkl cannot be unpickled: it is truncated or damaged"):
        read_geneformer_dictionaries({"token_dictionary.pkl": path})
    with pytest.raises(DatamixError, match=r"other\.pkl is none of Geneformer's dictionaries"):
        read_geneformer_dictionaries({"other.pkl": path})
    with pytest.raises(DatamixError, match="there in two releases"):
        read_geneformer_dictionaries({"token_dictionary.pkl": path, "token_dictionary_gc30M.pkl": path})
