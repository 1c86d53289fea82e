"""Broken and malicious tables of texts: each is a file, and what must be said of it, with the row if there is one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
import text_models

from hostile.build import picture

ROWS = text_models.sentences(24)
GOOD = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
SHEET = "xl/worksheets/sheet1.xml"


@dataclass(frozen=True)
class Case:
    """``content`` lies at ``file``. It is ``refused`` with this code, at ``row`` where it has one; or ``n`` texts are
    used, the rows ``aside`` set aside, and findings have the codes ``found``. ``said`` is in the words of it all."""

    name: str
    file: str
    content: bytes | Callable[[], bytes]
    refused: str | None = None
    row: int | None = None
    n: int | None = None
    aside: tuple[int, ...] = ()
    found: tuple[str, ...] = ()
    said: str = ""
    columns: dict[str, str] = field(default_factory=dict)


def plus(*lines: str, encoding: str = "utf-8") -> bytes:
    """A sound table and these lines after it: the first of them is row 26."""
    return (GOOD + "".join(f"{line}\n" for line in lines)).encode(encoding)


def lines(*more: str) -> bytes:
    """Sound JSON lines and these after them: the first of them is line 25."""
    sound = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    return "\n".join([*sound, *more]).encode()


def workbook(rows=(("text", "label"), *ROWS), name: str = "Reviews", others: tuple[str, ...] = ()) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = name
    for row in rows:
        book.active.append(row)
    for other in others:
        book.create_sheet(other).append(["nothing", "here"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(book: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A workbook with one of its parts made anew; a part that is not there is added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in {*old.namelist(), name}:
            data = old.read(part) if part in old.namelist() else b""
            new.writestr(part, change(data) if part == name else data)
    return out.getvalue()


def laughing(data: bytes) -> bytes:
    """A sheet that defines entities of entities."""
    body = data.partition(b"?>")[2] if data.startswith(b"<?xml") else data
    result = b'<!ENTITY a "ha">' + b"".join(b'<!ENTITY %c "&%c;&%c;">' % (98 + i, 97 + i, 97 + i) for i in range(20))
    return b'<?xml version="1.0"?><!DOCTYPE w [' + result + b"]>" + body


def parquet(**columns) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(columns).to_parquet(out, index=False)
    return out.getvalue()


def zipped_workbook() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("train.xlsx", workbook())
        archive.writestr("test.csv", "text,label\nquite another text,good\nand one more text,bad\n")
        archive.writestr("notes.ods", b"?")
    return out.getvalue()


def formulas() -> bytes:
    """A sheet whose cells are formulas: one that was computed, one that never was."""
    book = workbook((("text", "label"), *ROWS, ("computed", "good"), ("=1+1", "good")))
    return changed(
        book,
        SHEET,
        lambda data: data.replace(
            b'<c r="A26" t="inlineStr"><is><t>computed</t></is></c>',
            b'<c r="A26" t="str"><f>"com"&amp;"puted"</f><v>computed words</v></c>',
        ),
    )


def _deep(data: bytes) -> bytes:
    return data.replace(b"</sheetData>", b'<row r="4000000000"><c r="XFD4000000000"><v>1</v></c></row></sheetData>')


CASES = (
    # --- bytes ---------------------------------------------------------------------------------------------------
    Case("empty file", "t.csv", b"", refused="table", said="is empty"),
    Case("only a mark", "t.csv", b"\xef\xbb\xbf", refused="table", said="is empty"),
    Case("only blanks", "t.csv", b" \n\n \n", refused="table", said="is empty"),
    Case("only a header", "t.csv", b"text,label\n", n=0, found=("nothing-usable",)),
    Case("one column", "t.csv", b"text\nhello\n", refused="table", row=1, said="at least two columns"),
    Case("duplicate column names", "t.csv", b"text,text\na,b\n", refused="table", row=1, said="two columns named text"),
    Case(
        "20,000 columns",
        "t.csv",
        ",".join(f"c{i}" for i in range(20_000)).encode() + b"\n",
        refused="table",
        row=1,
        said="20,000 columns",
    ),
    Case("a picture called csv", "t.csv", picture(1), refused="table", said="a picture"),
    Case("a PDF called tsv", "t.tsv", b"%PDF-1.7\n%%EOF", refused="table", said="a PDF"),
    Case("a web page called csv", "t.csv", b"<!DOCTYPE html><table><tr><td>text", refused="table", said="a web page"),
    Case("a zip called csv", "t.csv", workbook, refused="table", said="an Excel workbook"),
    Case("a gzip called jsonl", "t.jsonl", b"\x1f\x8b\x08" + bytes(60), refused="table", said="JSON object"),
    Case("noise", "t.csv", bytes(range(256)) * 40, refused="table"),
    Case("UTF-16 without a mark", "t.csv", GOOD.encode("utf-16-le"), n=24),
    Case("UTF-16 big-endian", "t.csv", b"\xfe\xff" + GOOD.encode("utf-16-be"), n=24),
    Case("UTF-16 cut in a letter", "t.csv", b"\xff\xfe" + GOOD.encode("utf-16-le")[:-1], n=24),
    Case("UTF-32", "t.csv", GOOD.encode("utf-32"), n=24),
    Case("mark in the middle", "t.csv", plus("\ufeffmarked words here,good"), n=25),
    Case(
        "mixed encodings",
        "t.csv",
        plus("café é bom,good") + "pão é ruim,bad\n".encode("latin-1"),
        n=26,
        found=("garbled",),
        said="wrong encoding",
    ),
    Case("encoding twice", "t.csv", plus("não".encode().decode("latin-1") + " gostei,bad"), n=25, found=("garbled",)),
    Case("NUL bytes in cells", "t.csv", plus("nul\x00s in words,go\x00od"), n=25),
    Case("nothing but NULs", "t.csv", bytes(4000), refused="table"),
    # --- rows ----------------------------------------------------------------------------------------------------
    Case("CR-only newlines", "t.csv", GOOD.replace("\n", "\r").encode(), n=24),
    Case("all three newlines", "t.csv", GOOD.replace("\n", "\r\n", 5).encode() + b"one more text,good\r", n=25),
    Case("ragged rows", "t.csv", plus("too,many,cells", "alone"), n=24, aside=(26, 27), said="cells"),
    Case("nothing but ragged rows", "t.csv", b"text,label\n" + b"a,b,c,d\n" * 6, n=0, found=("nothing-usable",)),
    Case("empty labels", "t.csv", plus("no label here,", "nor here,  "), n=24, aside=(26, 27), said="no label"),
    Case("empty texts", "t.csv", plus(",good", '"  ",good'), n=24, aside=(26, 27), said="no text"),
    Case("300-character label", "t.csv", plus("words," + "l" * 300), n=24, aside=(26,), said="label is longer"),
    Case("10 MB cell", "t.csv", lambda: plus("y" * 10_000_000 + ",good"), n=24, aside=(26,), said="100,000 characters"),
    Case("70 MB cell", "t.csv", lambda: plus("y" * 70_000_000 + ",good"), refused="table", row=26, said="row 26"),
    Case("formulas", "t.csv", plus("=cmd()|' /C calc'!A0,good", "@SUM(A1:A9) it is,bad"), n=26),
    Case(
        "a quotation mark never closed",
        "t.csv",
        lambda: plus('"open,good', *(f"{i} words,bad" for i in range(600))),
        n=24,
        aside=(26,),
        said="never to be closed",
    ),
    Case(
        "semicolons and decimal commas",
        "t.csv",
        (
            "texto;nota\n"
            + "".join(f"{text};{4.5 if label == 'good' else 1.5}\n".replace(".", ",") for text, label in ROWS)
        ).encode(),
        n=24,
        columns={"label": "nota"},
    ),
    Case("line breaks in quoted cells", "t.csv", plus('"two\nlines",good', "after it,bad"), n=26),
    Case("control characters", "t.csv", plus("bell \x07 and \x1b[31m red,good"), n=25),
    Case("right-to-left marks in a label", "t.csv", plus("words,\u202egood"), n=25),
    Case(
        "unknown split",
        "t.csv",
        b"text,label,split\n"
        + b"".join(f"{text},{label},{'train' if i % 4 else 'oops'}\n".encode() for i, (text, label) in enumerate(ROWS)),
        n=18,
        aside=(2, 6, 10),
        said="must be train",
    ),
    # --- columns -------------------------------------------------------------------------------------------------
    Case(
        "no label column", "t.csv", b"text,when,who\na,b,c\n", refused="columns", row=1, said="no column for the label"
    ),
    Case(
        "mapped column is not there",
        "t.csv",
        GOOD.encode(),
        refused="columns",
        columns={"label": "kind"},
        said="no column kind",
    ),
    Case("unknown role", "t.csv", GOOD.encode(), refused="columns", columns={"colour": "label"}),
    # --- JSON ----------------------------------------------------------------------------------------------------
    Case(
        "a broken line",
        "t.jsonl",
        lines('{"text": "a", "label"', json.dumps({"text": "last words", "label": "bad"})),
        n=25,
        aside=(25,),
        said="not a JSON object",
    ),
    Case("no objects", "t.jsonl", b"1\n2\n3\n", refused="table", row=1, said="no JSON object"),
    Case("a list cut off", "t.json", b'[{"text": "a", "label": "b"},', refused="table", row=1, said="damaged"),
    Case("nested JSON", "t.json", b'{"data": [{"text": "a", "label": "b"}]}', refused="columns", said="no column"),
    Case(
        "texts that are lists",
        "t.jsonl",
        lines('{"text": ["a", "b"], "label": "bad"}'),
        n=24,
        aside=(25,),
        said="list or a record",
    ),
    Case(
        "labels that are lists",
        "t.jsonl",
        lines('{"text": "a b", "label": ["b", "c"]}'),
        n=24,
        aside=(25,),
        said="one label a text",
    ),
    Case("100,000 brackets", "t.json", b"[" * 100_000, refused="table"),
    Case("lone surrogates", "t.jsonl", lines('{"text": "\\ud800 broken sign", "label": "bad"}'), n=25),
    Case("numbers without end", "t.jsonl", lines('{"text": ' + "9" * 5000 + ', "label": "bad"}'), n=24, aside=(25,)),
    # --- Excel ---------------------------------------------------------------------------------------------------
    Case("a sound workbook", "t.xlsx", workbook, n=24, found=("columns",)),
    Case("several sheets", "t.xlsx", lambda: workbook(others=("Notes",)), n=24, found=("sheets",), said="Notes"),
    Case("a sheet that is not there", "t.xlsx", workbook, refused="sheet", columns={"sheet": "Prices"}, said="Reviews"),
    Case(
        "rows with numbers",
        "t.xlsx",
        lambda: workbook((("text", "label"), *ROWS, (None, "good"), ("words", None))),
        n=24,
        aside=(26, 27),
        said="no text",
    ),
    Case("formulas in a sheet", "t.xlsx", formulas, n=25, aside=(27,)),
    Case(
        "workbook with macros",
        "t.xlsm",
        lambda: changed(workbook(), "xl/vbaProject.bin", lambda _: b"\xd0\xcf" * 99),
        n=24,
    ),
    Case(
        "workbook that is a bomb",
        "t.xlsx",
        lambda: changed(workbook(), SHEET, lambda d: d + b" " * 30_000_000),
        refused="archive-bomb",
        said="bomb",
    ),
    Case("a bomb of entities", "t.xlsx", lambda: changed(workbook(), SHEET, laughing), refused="table", said="damaged"),
    Case("workbook that is a web page", "t.xlsx", b"<html><table><tr><td>text", refused="table", said="a web page"),
    Case(
        "an old workbook", "t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), refused="table", said="old Excel"
    ),
    Case("text called xlsx", "t.xlsx", GOOD.encode(), refused="table", said="damaged"),
    Case("half of a workbook", "t.xlsx", lambda: workbook()[:3000], refused="archive-damaged", said="t.xlsx"),
    Case(
        "workbook without sheets",
        "t.xlsx",
        lambda: changed(workbook(), "xl/workbook.xml", lambda _: b"<x/>"),
        refused="table",
        said="damaged",
    ),
    Case(
        "sheet that is no XML",
        "t.xlsx",
        lambda: changed(workbook(), SHEET, lambda d: d[: len(d) // 2]),
        refused="table",
        said="cannot be read from row",
    ),
    Case("row four billion", "t.xlsx", lambda: changed(workbook(), SHEET, _deep), n=24),
    Case("workbook in a zip", "up.zip", zipped_workbook, n=26, said="Spreadsheets of this kind"),
    # --- Parquet -------------------------------------------------------------------------------------------------
    Case(
        "list columns",
        "t.parquet",
        lambda: parquet(text=[["a"], ["b"]], label=["x", "y"]),
        n=0,
        found=("nothing-usable",),
        said="list or a record",
    ),
    Case(
        "bytes for text",
        "t.parquet",
        lambda: parquet(text=[b"a", b"b"], label=["x", "y"]),
        n=0,
        found=("nothing-usable",),
    ),
    Case("corrupt Parquet", "t.parquet", b"PAR1" + b"\xff" * 200 + b"PAR1", refused="table", said="damaged"),
    Case("not a number for text", "t.parquet", lambda: parquet(text=[None, float("nan")], label=["x", "y"]), n=0),
)
