"""Fetched: from servers that stall, break off, lie, ask for patience, or send another file."""

import gzip
import hashlib
from pathlib import Path

import pytest
from faulty_server import CONTENT, HALF, faulty_server
from small_project import write_manifest

from datamix.corpora import download
from datamix.corpora.fetch import fetch
from datamix.project.errors import DatamixError
from datamix.project.manifest import read_manifest

SHA256 = hashlib.sha256(CONTENT).hexdigest()
KNOWN = {"sha256 and size": {"bytes": len(CONTENT), "sha256": SHA256}, "size": {"bytes": len(CONTENT)}, "nothing": {}}
AT_ONCE = ("redirects_on", "is_busy", "is_busy_until_a_date")
NEXT_TIME = (
    "stalls", "drops", "drops_a_stream_without_length", "range_not_satisfiable", "changed_between", "another_part",
    "a_part_of_nothing_said",
)  # fmt: skip
REFUSED = {
    "promises_more": "bytes",
    "range_never_satisfiable": "416",
    "redirects_in_a_circle": "TooManyRedirects",
    "redirects_to_a_file": "InvalidSchema",
    "is_busy_for_days": r"asked again in 900,000 seconds",
    "is_always_busy": "503",
    "says_nonsense_of_the_time": "503",
    "parts_unasked": "another part than was asked for",
    "gone": "404",
    "fails": "500",
    "a_header_without_end": "failed",
    "no_http": "failed",
}


@pytest.fixture(scope="module")
def served():
    with faulty_server() as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.5)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("DATAMIX_MIRROR", raising=False)


def get(root: Path, url: str, *, name: str = "a.bin", **file: object) -> Path:
    entry = {"title": "A", "reader": "h5ad", "access": "open", "licence": "CC0", "citation": {"text": "x"}}
    write_manifest(root, {"a": entry | {"files": [{"name": name, "url": url, **file}]}})
    (found,) = fetch("a", read_manifest(root).dataset("a"), root=root, say=str)
    return found.path


def left(root: Path) -> set[str]:
    return {p.name for p in (root / "data" / "a").iterdir()} - {".lock"}


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("fault", AT_ONCE)
def test_a_fault_that_passes_at_once(tmp_path, served, fault, known):
    """Sent elsewhere, or asked to wait: the file comes at the first command, or what came is gone on with."""
    url = f"{served[0]}/{fault}/{known.replace(' ', '_')}/{tmp_path.name}"
    try:
        path = get(tmp_path, url, **KNOWN[known])
    except DatamixError:
        assert fault == "redirects_on"  # to one that breaks off
        path = get(tmp_path, url, **KNOWN[known])
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == {"a.bin"}


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("fault", NEXT_TIME)
def test_a_fault_that_the_next_command_mends(tmp_path, served, fault, known):
    """A download that stalls or breaks off says so and keeps what came; the same command again ends it, rightly."""
    url = f"{served[0]}/{fault}/{known.replace(' ', '_')}/{tmp_path.name}"
    with pytest.raises(DatamixError, match=r"Download of a\.bin .* failed(?s:.*)then: datamix data fetch a"):
        get(tmp_path, url, **KNOWN[known])
    assert not (tmp_path / "data" / "a" / "a.bin").exists()
    if fault == "changed_between":  # and what its authors replaced is theirs, or refused
        if known == "sha256 and size":
            with pytest.raises(DatamixError, match="not the expected"):
                get(tmp_path, url, **KNOWN[known])
            assert left(tmp_path) == set()
        else:
            assert get(tmp_path, url, **KNOWN[known]).read_bytes() == CONTENT[::-1]
        return
    assert get(tmp_path, url, **KNOWN[known]).read_bytes() == CONTENT
    assert left(tmp_path) == {"a.bin"}


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_that_stays(tmp_path, served, fault, known):
    """A server that never gives the file: said in a sentence with its address, and nothing lies in the file's place."""
    url = f"{served[0]}/{fault}/{known.replace(' ', '_')}/{tmp_path.name}"
    for _ in range(2):
        with pytest.raises(DatamixError, match=REFUSED[fault]) as error:
            get(tmp_path, url, **KNOWN[known])
        assert url in str(error.value)
        assert "a.bin" not in left(tmp_path)


@pytest.mark.parametrize("known", ["sha256 and size", "size"])
def test_a_file_that_is_cut_short_by_its_server(tmp_path, served, known):
    """A length that is less than the file's: refused where the size or sha256 is known."""
    with pytest.raises(DatamixError, match=rf"offers {HALF:,} bytes, expected {len(CONTENT):,}"):
        get(tmp_path, f"{served[0]}/promises_less/{tmp_path.name}", **KNOWN[known])
    assert "a.bin" not in left(tmp_path)


@pytest.mark.parametrize("fault", ["changed_in_silence"])
def test_a_file_that_changed_between_two_parts_in_silence(tmp_path, served, fault):
    """The second half is of another file and the server says nothing of it: the sha256 shows it, nothing is kept."""
    url = f"{served[0]}/{fault}/{tmp_path.name}"
    with pytest.raises(DatamixError, match="failed"):
        get(tmp_path, url, **KNOWN["sha256 and size"])
    with pytest.raises(DatamixError, match="not the expected"):
        get(tmp_path, url, **KNOWN["sha256 and size"])
    assert left(tmp_path) == set()


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv"])
def test_a_file_that_a_server_calls_packed(tmp_path, served, name, known):
    """`Content-Encoding: gzip`, unasked: a .gz file is kept as it is, a text is the text."""
    content = gzip.compress(CONTENT, mtime=0) if name.endswith(".gz") else CONTENT
    file = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file = {key: file[key] for key in KNOWN[known]}
    path = get(tmp_path, f"{served[0]}/calls_it_a_packed_text/{name}", name=name, **file)
    assert path.read_bytes() == content
    assert left(tmp_path) == {name}


@pytest.mark.parametrize(("fault", "what"), [("a_login_page", "a web page"), ("nothing", "an empty file")])
def test_a_page_in_place_of_a_file(tmp_path, served, fault, what):
    """A login page or nothing at all, sent as the file whose sha256 is not known: refused, and not pinned."""
    with pytest.raises(DatamixError, match=rf"gave {what}, expected a\.bin\. What came was deleted"):
        get(tmp_path, f"{served[0]}/{fault}/{tmp_path.name}")
    assert left(tmp_path) == set()
    assert not (tmp_path / "data" / "pins.lock.json").exists()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a", "http://[::1/a", "http:///a", "http://a b/", "https://", "http://%zz/"]
)
def test_an_address_that_leads_nowhere(tmp_path, url):
    """No such server, or no address at all: said, and nothing is left."""
    with pytest.raises(DatamixError, match=r"a\.bin"):
        get(tmp_path, url)
    assert "a.bin" not in left(tmp_path)
