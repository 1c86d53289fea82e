"""Files as spreadsheets and people leave them: what is read of them, and what is said."""

from __future__ import annotations

import pandas as pd
import pytest

from tlcore import tasks
from tlcore.core import safe_csv
from tlcore.data.staging import stage
from tlcore.runtime import predict_images

TASK = tasks.find("text-classification")


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_a_line_that_names_the_separator(tmp_path, separator, mark, end):
    lines = [f"sep={separator}", separator.join(["text", "label"])]
    lines += [separator.join([f"text number {i}", "xy"[i % 2]]) for i in range(20)] + ["one cell"]
    (tmp_path / "reviews.csv").write_bytes((mark + end.join(lines)).encode())
    staged = stage(tmp_path / "reviews.csv", task=TASK, folder=tmp_path / "job")
    assert staged.counts == {"x": 10, "y": 10}
    assert [item.row for item in staged.set_aside()] == [22]  # as a spreadsheet shows it, which hides the line


def test_a_column_called_sep_is_a_column(tmp_path):
    rows = "".join(f"text number {i},{'xy'[i % 2]}\n" for i in range(20))
    (tmp_path / "reviews.csv").write_text("sep=text,label\n" + rows)
    assert len(stage(tmp_path / "reviews.csv", task=TASK, folder=tmp_path / "job").rows) == 20


def test_formulas_that_failed_are_empty_cells(tmp_path):
    rows = pd.DataFrame({"text": [f"text number {i}" for i in range(22)], "label": ["x", "y"] * 11})
    rows.loc[20, "label"] = "#N/A"
    rows.loc[21, "text"] = "#NAME?"
    rows.to_excel(tmp_path / "a.xlsx", index=False)
    staged = stage(tmp_path / "a.xlsx", task=TASK, folder=tmp_path / "job")
    assert staged.counts == {"x": 10, "y": 10}
    assert [item.row for item in staged.set_aside()] == [22, 23]


@pytest.mark.parametrize("guard", [safe_csv.cell, predict_images.cell], ids=["studio", "predict.py"])
def test_a_number_is_no_formula(guard):
    for number in ("-1", "+1", "-0.5", "-12"):
        assert guard(number) == number
    for formula in ("-1+2", "-", "+cmd|' /C calc'!A0", "-1.", "=1", "@x", "-1e5", "-\u0661", "-1\n"):
        assert guard(formula) == f"'{formula}"


@pytest.mark.parametrize("unguard", [safe_csv.unguard, predict_images.uncell], ids=["studio", "predict.py"])
def test_lists_of_before_are_read_as_they_were(unguard):
    assert [unguard(text) for text in ("'-1", "-1", "'=x", "'tis", "''=x")] == ["-1", "-1", "=x", "'tis", "''=x"]
