import os
import pickle
import zipfile

import pytest
import torch
from small_grid import small_grid

from datamix.ldvae.model_file import require_plain_model
from datamix.project.errors import DatamixError
from datamix.project.files import write_json
from datamix.publishing.reuse.book import Book

MADE = ("protocol", "simulated", "commit", "datasets", "seeds", "versions")


class Evil:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return (os.system, (self.command,))


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layout = small_grid(tmp_path_factory.mktemp("grid"))
    write_json(layout.folder / "panels" / "fig2a.json", {"profile": "tiny"} | dict.fromkeys(MADE))
    return layout


def test_the_models_of_this_project_are_plain(layout):
    files = list(layout.folder.rglob("model.pt"))
    assert len(files) == 4
    for file in files:
        require_plain_model(file)
    assert Book(layout.folder, root=layout.root).model("blood").get_loadings().shape[0] > 10


@pytest.mark.parametrize("way", ["saved by torch", "protocol 4", "beside the model", "no zip", "damaged", "empty"])
def test_a_file_that_would_run_something_is_not_loaded(layout, tmp_path, way):
    """In someone else's results."""
    file = layout.model("blood", 0, "other") / "model.pt"
    whole, mark = file.read_bytes(), tmp_path / "ran"
    evil = Evil(f"touch {mark}")
    try:
        if way == "saved by torch":
            torch.save({"model_state_dict": evil}, file)
        elif way == "no zip":
            file.write_bytes(pickle.dumps(evil))
        elif way in {"damaged", "empty"}:
            file.write_bytes(whole[: len(whole) // 2] if way == "damaged" else b"")
        else:
            content = zipfile.ZipFile(file)
            with zipfile.ZipFile(tmp_path / "new", "w") as new:
                for name in content.namelist():
                    protocol4 = way == "protocol 4" and name.endswith("data.pkl")
                    new.writestr(name, pickle.dumps(evil, protocol=4) if protocol4 else content.read(name))
                if way == "beside the model":
                    new.writestr("model/other.pkl", pickle.dumps(evil))
            (tmp_path / "new").replace(file)
        with pytest.raises(DatamixError, match=r"model\.pt (asks to import|is damaged|holds)"):
            Book(layout.folder, root=layout.root).model("other")
        assert not mark.exists()
    finally:
        file.write_bytes(whole)
