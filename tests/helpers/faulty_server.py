"""A server of this machine that does what servers on the way to data do wrong, by the path that it is asked for."""

import gzip
import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CONTENT = bytes(range(256)) * 1000
OTHER = CONTENT[::-1]
HALF = len(CONTENT) // 2


class Faulty(http.server.BaseHTTPRequestHandler):
    """Answers `/<fault>/<name>`; a fault happens at the first request of a path, or at every one."""

    protocol_version = "HTTP/1.1"
    asked: Counter[str]

    def do_GET(self) -> None:
        fault = self.path.split("/")[1]
        self.asked[self.path] += 1
        self.first = self.asked[self.path] == 1
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, fault)()

    def log_message(self, *_: object) -> None:
        pass

    # what is answered

    def answer(self, content: bytes, *, code: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"ETag": '"one"', **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def rest(self, content: bytes = CONTENT, **headers: str) -> None:
        """Answer as a good server does, a range where one is asked for."""
        wanted = self.headers.get("Range")
        if wanted is None:
            self.answer(content, **headers)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        there = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(content[start:], code=206, **{"Content_Range": there, **headers})

    def half_first(self) -> bool:
        """Send half at the first request, and say whether it was that."""
        if self.first:
            self.answer(CONTENT[:HALF], length=len(CONTENT))
        return self.first

    # faults

    def stalls(self) -> None:
        if not self.half_first():
            self.rest()
            return
        time.sleep(1.5)

    def drops(self) -> None:
        if not self.half_first():
            self.rest()

    def promises_more(self) -> None:
        self.answer(CONTENT, length=len(CONTENT) + 10)

    def promises_less(self) -> None:
        self.answer(CONTENT, length=HALF)

    def drops_a_stream_without_length(self) -> None:
        if not self.first:
            self.rest()
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(f"{HALF:x}\r\n".encode() + CONTENT[:HALF] + b"\r\n")

    def range_not_satisfiable(self) -> None:
        if self.half_first():
            return
        if "Range" in self.headers:
            self.answer(b"", code=416, Content_Range=f"bytes */{len(CONTENT)}")
        else:
            self.answer(CONTENT)

    def range_never_satisfiable(self) -> None:
        self.answer(b"", code=416)

    def redirects_in_a_circle(self) -> None:
        self.answer(b"", code=302, Location=self.path)

    def redirects_to_a_file(self) -> None:
        self.answer(b"", code=302, Location="file:///etc/passwd")

    def redirects_on(self) -> None:
        self.answer(b"", code=302, Location=self.path.replace("redirects_on", "drops"))

    def calls_it_a_packed_text(self) -> None:
        """Do as servers that take .gz for a transport encoding."""
        self.answer(gzip.compress(CONTENT, mtime=0), Content_Encoding="gzip")

    def is_busy(self) -> None:
        if self.first:
            self.answer(b"later", code=503, Retry_After="0")
        else:
            self.rest()

    def is_busy_until_a_date(self) -> None:
        if self.first:
            self.answer(b"later", code=429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")
        else:
            self.rest()

    def is_busy_for_days(self) -> None:
        self.answer(b"later", code=503, Retry_After="900000")

    def is_always_busy(self) -> None:
        self.answer(b"later", code=503, Retry_After="0")

    def says_nonsense_of_the_time(self) -> None:
        self.answer(b"later", code=503, Retry_After="as soon as we can")

    def changed_between(self) -> None:
        """Send the rest of another file, as a server that does not know If-Range; its tag says that it is another."""
        if not self.half_first():
            self.rest(OTHER, ETag='"two"')

    def changed_in_silence(self) -> None:
        if not self.half_first():
            self.rest(OTHER)

    def another_part(self) -> None:
        """Send the first half again where the second is asked for."""
        if self.half_first():
            return
        if "Range" in self.headers:
            there = f"bytes 0-{HALF - 1}/{len(CONTENT)}"
            self.answer(CONTENT[:HALF], code=206, Content_Range=there)
        else:
            self.answer(CONTENT)

    def a_part_of_nothing_said(self) -> None:
        if self.half_first():
            return
        if "Range" in self.headers:
            self.answer(CONTENT[:HALF], code=206)
        else:
            self.answer(CONTENT)

    def parts_unasked(self) -> None:
        self.answer(CONTENT[HALF:], code=206, Content_Range=f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}")

    def a_login_page(self) -> None:
        self.answer(b"\n<!DOCTYPE html><html><body>Please log in.</body></html>", Content_Type="text/html")

    def nothing(self) -> None:
        self.answer(b"")

    def gone(self) -> None:
        self.answer(b"", code=404)

    def fails(self) -> None:
        self.answer(b"", code=500)

    def a_header_without_end(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000)

    def no_http(self) -> None:
        self.wfile.write(b"220 ftp ready\r\n")


@contextmanager
def faulty_server() -> Iterator[tuple[str, Counter[str]]]:
    """Start it; gives its address, and how often each path was asked for."""
    handler = type("Handler", (Faulty,), {"asked": Counter()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", handler.asked
        running.shutdown()
