import collections
import json
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
def test_dictionaries_are_read_and_converted_once(tmp_path, protocol):
    files = {name: write_pickle(tmp_path / name, content, protocol=protocol) for name, content in NAMES.items()}
    expected = {name.removesuffix(".pkl"): content for name, content in NAMES.items()}
    assert read_geneformer_dictionaries(files) == expected
    assert json.loads((tmp_path / "token_dictionary.json").read_text()) == TOKENS
    for path in files.values():  # from now on the pickles are not opened
        stat = path.stat()
        path.write_bytes(b"not a pickle")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_geneformer_dictionaries(files) == expected


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
    assert not path.with_suffix(".json").exists()
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
        ("gene_median_dictionary.pkl", {"ENSG1": np.float64(2)}, "asks to import numpy"),
    ],
)
def test_other_content_is_refused(tmp_path, name, content, message):
    path = write_pickle(tmp_path / name, content)
    with pytest.raises(DatamixError, match=message):
        read_geneformer_dictionaries({name: path})
    assert not path.with_suffix(".json").exists()


def test_truncated_and_unknown_files(tmp_path):
    path = truncate(write_pickle(tmp_path / "token_dictionary.pkl", TOKENS))
    with pytest.raises(DatamixError, match=r"token_dictionary\.pkl cannot be unpickled: it is truncated or damaged"):
        read_geneformer_dictionaries({"token_dictionary.pkl": path})
    with pytest.raises(DatamixError, match=r"other\.pkl is none of Geneformer's dictionaries"):
        read_geneformer_dictionaries({"other.pkl": path})
