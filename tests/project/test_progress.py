from datamix.project import progress as module
from datamix.project.progress import progress


def test_without_a_terminal_a_line_now_and_then(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.0)
    lines = []
    with progress("blood", unit="cells", done=100, say=lines.append) as advance:
        advance(50, 200)
        advance(50, 200)
    assert len(lines) == 2
    assert lines[0].startswith("blood:  75%")
    assert "150/200" in lines[0]
    assert "cells/s" in lines[1]
    assert lines[1].startswith("blood: 100%")


def test_unknown_size_and_short_work(monkeypatch):
    lines = []
    with monkeypatch.context() as patch, progress("blood", unit="cells", say=lines.append) as advance:
        patch.setattr(module, "EVERY", 0.0)
        advance(50, None)
    assert "blood: 50.0 cells" in lines[0]
    with progress("blood", unit="cells", say=lines.append) as advance:
        advance(50, 100)
    assert len(lines) == 1
