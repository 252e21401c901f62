import pandas as pd

from datamix.project.spreadsheets import as_written, for_spreadsheets

FORMULAS = [
    "=1+1",
    "@SUM(A1)",
    '+HYPERLINK("http://x")',
    "-2+3+cmd|' /C calc'!A0",
    "\t=1",
    '+ HYPERLINK("http://x")',
    "'=1",
]
OURS = ["+ TF atlas", "+ Blood (690 cells)", "CD4+ T cell", "-", "+", "−0.1", "'", "a=b", "", "B cell"]


def test_a_spreadsheet_runs_nothing_and_the_table_comes_back():
    table = pd.DataFrame({"label": FORMULAS + OURS, "n": range(len(FORMULAS + OURS))})
    safe = for_spreadsheets(table)
    assert list(safe["label"]) == [f"'{text}" for text in FORMULAS] + OURS
    pd.testing.assert_frame_equal(as_written(safe), table)
    pd.testing.assert_frame_equal(as_written(for_spreadsheets(safe)), safe)
    as_category = table.astype({"label": "category"})
    assert list(for_spreadsheets(as_category)["label"]) == list(safe["label"])
    assert for_spreadsheets(table[["n"]]) is not None
