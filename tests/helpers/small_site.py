"""A site of a small book, and a server of this machine that shows it, well or badly behaved."""

import functools
import http.server
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from small_record import write_small_record

from datamix.project.files import read_json, write_json
from datamix.project.layout import Layout
from datamix.publishing.website.carried import carry

ROOT = Path(__file__).parents[2]


def write_small_site(folder: Path) -> Path:
    """Write the site, of two panels, values and claims, in a project's folder; it lies in `published/a book`."""
    for name in ("config/demo.yaml", "data_manifest.yaml", "CITATION.cff"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    results = write_small_record(folder / "results" / "demo", aml_blood=0.25, aml_blood_tf_atlas=0.5)
    made = read_json(results / "provenance.json")
    for name in ("2a", "S1a"):
        write_json(results / "panels" / f"fig{name}.json", made | {"panel": name, "notebook": "fig2"})
    (results / "panels" / "fig2a.svg").write_text("<svg/>")
    site = folder / "published" / "a book"
    shutil.copytree(results / "panels", site / "panels")
    carry(Layout.of("demo", folder), site, notebooks=["fig2"])
    (site / "index.html").write_text("<p>A book</p>")
    return site


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, notes what is asked for, and answers some paths otherwise."""

    asked: list[str]
    otherwise: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        other = next((answer for end, answer in self.otherwise.items() if self.path.endswith(end)), None)
        if other is None:
            super().do_GET()
        else:
            other(self)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(
    site: Path, *, certificate: Path | None = None, **otherwise: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> Iterator:
    """Serve the folder above a site; gives the site's address and the list of paths that were asked for.

    By https where there is a certificate, with its key in the same file. `book_json=…` answers paths that end with
    `book.json`.
    """
    ends = {end.replace("_", "."): answer for end, answer in otherwise.items()}
    handler = type("Handler", (Server,), {"asked": [], "otherwise": ends})
    serve = functools.partial(handler, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as running:
        running.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            running.socket = context.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http{'s' if certificate else ''}://127.0.0.1:{running.server_port}/a%20book/", handler.asked
        running.shutdown()
