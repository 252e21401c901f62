"""Identifiers of content after Software Heritage (SWHID, ISO/IEC 18670): whoever has the bytes finds the same ones.

A file and a folder are hashed as git hashes a blob and a tree.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

RESOLVER = "https://archive.softwareheritage.org/"
"""Finds what an identifier names, once it has been archived there."""


def of_content(content: bytes) -> str:
    """Return the identifier of a file's bytes, `swh:1:cnt:…`."""
    return f"swh:1:cnt:{_git_hash('blob', content).hex()}"


def of_commit(commit: str) -> str | None:
    """Return the identifier of a commit, `swh:1:rev:…`; None where files differed from it, or none is known."""
    clean = len(commit) == 40 and set(commit) <= set("0123456789abcdef")
    return f"swh:1:rev:{commit}" if clean else None


def of_files(files: Mapping[str, Path]) -> str:
    """Return the identifier of a folder, `swh:1:dir:…`, in which no file can be executed.

    Parameters
    ----------
    files
        Name from the folder's top, with slashes → where its bytes are.
    """
    return f"swh:1:dir:{_tree(files).hex()}"


def _tree(files: Mapping[str, Path]) -> bytes:
    folders: dict[str, dict[str, Path]] = {}
    entries = []
    for name, path in files.items():
        top, slash, rest = name.partition("/")
        if slash:
            folders.setdefault(top, {})[rest] = path
        else:
            entries.append((top.encode(), b"100644", _git_hash("blob", path.read_bytes())))
    entries += [(name.encode(), b"40000", _tree(inner)) for name, inner in folders.items()]
    # Git sorts a folder as if its name ended with a slash.
    entries.sort(key=lambda entry: entry[0] + b"/" * (entry[1] == b"40000"))
    return _git_hash("tree", b"".join(b"%b %b\0%b" % (mode, name, digest) for name, mode, digest in entries))


def _git_hash(kind: str, content: bytes) -> bytes:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).digest()
