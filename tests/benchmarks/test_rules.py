import json

from benchmarks.rules import times_of


def note(folder, name, rule, command, start, end):
    folder.mkdir(parents=True, exist_ok=True)
    noted = {"rule": rule, "shellcmd": command, "starttime": start, "endtime": end}
    (folder / name).write_text(json.dumps(noted))


def test_times_of_a_run_are_read_and_those_of_an_earlier_one_left_out(tmp_path):
    run = "python -m datamix {} --profile demo"
    note(tmp_path, "a", "corpus", run.format("prepare a"), 1000.0, 1004.0)
    note(tmp_path / "long", "b", "corpus", run.format("prepare b"), 1000.0, 1006.0)
    note(tmp_path, "c", "read_out", run.format("read-out blood --seed 0"), 1010.0, 1030.0)
    note(tmp_path, "d", "read_out", run.format("read-out blood --seed 0"), 1010.0, 1030.0)  # its second file
    note(tmp_path, "e", "geneformer", run.format("geneformer run blood blood --seed 0"), 10.0, 900.0)
    note(tmp_path, "f", "corpus", "python -m datamix prepare a --profile mini", 1.0, 5.0)
    note(tmp_path, "g", "book", None, 1040.0, 1050.0)
    assert times_of(tmp_path, "demo") == [("corpus", 2, 10.0), ("read_out", 1, 20.0)]
    assert times_of(tmp_path, "mini") == [("corpus", 1, 4.0)]
    assert times_of(tmp_path, "paper") == []
