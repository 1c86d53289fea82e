"""Predictions with this bundle alone; needs what requirements.txt lists (and pillow_heif for phones' HEIC pictures).

    python predict.py INPUT... [--output predictions.csv]

INPUT is a picture, a folder or a zip of pictures. The table has the columns input, prediction and confidence, then one
column a class. Inputs that cannot be read are told on standard error with the reason, and listed beside the output.
"""

import argparse
import csv
import io
import json
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps  # noqa: F401

from tlcore.runtime.image_canvas import canvas, pixels

# studio: the imports from tlcore become the studio's own functions in a bundle's predict.py
from tlcore.runtime.images import to_rgb

HERE = Path(__file__).resolve().parent
BATCH = 16
MOST_PIXELS = 100_000_000
MOST_BYTES = 200_000_000  # of one picture
FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "MPO",
    "JPEG2000",
    "AVIF",
    "HEIF",
    "PPM",
    "TGA",
    "ICO",
)
LEFTOVERS = ("__MACOSX", "Thumbs.db", "desktop.ini")


def gather(inputs):
    """Every picture of the inputs as (name, path or bytes or None, reason or None), in the order of their names.

    Names count from the folder or zip they came from; with several inputs they begin with the input's own name.
    """
    for given in inputs:
        path = Path(given)
        before = f"{path.name}/" if len(inputs) > 1 else ""
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                name = found.relative_to(path).as_posix()
                if found.is_file() and not _hidden(name):
                    yield before + name, found, None
        elif path.suffix.lower() == ".zip":
            yield from _from_zip(path, before)
        elif path.is_file():
            yield str(given), path, None
        else:
            yield str(given), None, "There is no such file."


def _from_zip(path, before):
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile):
        yield str(path), None, "This zip cannot be read."
        return
    with archive:
        for member in sorted(archive.infolist(), key=lambda one: one.filename):
            name = member.filename
            if member.is_dir() or _hidden(name):
                continue
            if member.flag_bits & 1:
                yield before + name, None, "It is encrypted."
            elif member.file_size > MOST_BYTES:
                yield before + name, None, "It is larger than 200 MB."
            else:
                try:
                    yield before + name, archive.read(member), None
                except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError):
                    yield before + name, None, "It is damaged inside the zip."


def _hidden(name):
    """Files that systems leave behind, not pictures of the person's."""
    return any(part.startswith(".") or part in LEFTOVERS for part in name.split("/"))


def open_picture(source):
    """A picture (path or bytes) as 8-bit RGB, upright. Raises ValueError with the reason it cannot be used."""
    if not isinstance(source, bytes) and Path(source).stat().st_size > MOST_BYTES:
        raise ValueError("It is larger than 200 MB.")
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        image = Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    except Exception as error:
        raise ValueError("This is not a picture." if data else "The file is empty.") from error
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"The picture claims to be {image.width} x {image.height} pixels; that is too many.")
    try:
        image.load()
        return to_rgb(image)
    except Exception as error:
        raise ValueError("The picture is damaged or cut off.") from error


def network():
    """A function from pixels to logits (n, classes): model.onnx, or the weights by torch where there is none."""
    if (HERE / "model.onnx").exists():
        import onnxruntime

        session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(None, {session.get_inputs()[0].name: inputs})[0]
    import torch

    if "model_type" in json.loads((HERE / "config.json").read_text(encoding="utf-8")):
        from transformers import AutoModelForImageClassification

        model = AutoModelForImageClassification.from_pretrained(HERE).eval()
    else:
        import timm

        model = timm.create_model(f"local-dir:{HERE}", pretrained=True).eval()

    def by_torch(inputs):
        with torch.inference_mode():
            out = model(torch.from_numpy(inputs))
            return getattr(out, "logits", out).numpy()

    return by_torch


def predict(run, pictures, preprocessing, calibration):
    """Probabilities (n, classes) of RGB pictures."""
    whole = np.stack([canvas(p, preprocessing["canvas"], preprocessing["interpolation"]) for p in pictures])
    inputs = pixels(whole, preprocessing["size"], preprocessing["mean"], preprocessing["std"])
    return probabilities(run(np.ascontiguousarray(inputs)), calibration)


def probabilities(logits, calibration):
    """Calibrated probabilities (n, classes): logits divided by the temperature, then softmax; where a text may have
    several labels, each one's own."""
    logits = logits.astype(np.float64) / calibration.get("temperature", 1.0)
    if calibration.get("threshold"):
        return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def said(shares, labels, calibration):
    """What these probabilities mean, and how sure that is: a class and its probability.

    Where several labels are possible, those from the threshold up (each label's own, where the bundle keeps such),
    joined; and the probability of the least sure one of all the decisions.
    """
    threshold = calibration.get("threshold")
    if not threshold:
        best = answer(shares, labels, calibration)
        return labels[best], float(shares[best])
    given = shares >= np.array(calibration.get("thresholds") or threshold)
    chosen = "; ".join(labels[place] for place in np.flatnonzero(given))
    return chosen, float(np.where(given, shares, 1 - shares).min())


def answer(shares, labels, calibration):
    """Which class (its place) these probabilities mean: the likeliest, unless the bundle keeps a threshold.

    A threshold belongs to one of two classes: from it up the answer is that class, else the other.
    """
    decision = calibration.get("decision")
    if not decision:
        return int(shares.argmax())
    positive = labels.index(decision["positive"])
    return positive if shares[positive] >= decision["threshold"] else 1 - positive


def cell(value):
    """Text that a spreadsheet would take for a formula gets an apostrophe in front; a plain number is none. A lone
    carriage return, which would begin a row there, becomes a line feed."""
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    digits = value[1:].split(".")
    number = value[:1] in ("+", "-") and len(digits) < 3 and all(part.isascii() and part.isdecimal() for part in digits)
    return "'" + value if value.startswith(("=", "+", "-", "@", "\t", "\n")) and not number else value


def uncell(value):
    """Text from a table without the apostrophe that stands before a formula, or before a number."""
    return value[1:] if value[:1] == "'" and value[1:].startswith(("=", "+", "-", "@", "\t", "\n", "\r")) else value


def write_table(inputs, header, ready, answers, output):
    """Write a row for each of ``inputs`` (name, source, reason it was set aside or None), in batches, to a file or to
    standard output. What was set aside is told on standard error, and beside the file in one of its own.

    ``ready(source)`` raises ValueError or OSError with the reason where a source cannot be used; ``answers(sources)``
    gives what follows the name in the rows of a batch. Returns 2 where nothing could be read.
    """
    predicted, set_aside, waiting = 0, [], []
    out = open(output, "w", newline="", encoding="utf-8") if output else sys.stdout  # noqa: SIM115
    table = csv.writer(out, lineterminator="\n")
    table.writerow([cell(name) for name in header])

    def flush():
        if waiting:
            for (name, _), row in zip(waiting, answers([one for _, one in waiting])):  # noqa: B905
                table.writerow([cell(name), *row])
        waiting.clear()

    for name, source, reason in inputs:
        if reason is None:
            try:
                waiting.append((name, ready(source)))
                predicted += 1
            except (ValueError, OSError) as error:
                reason = str(error)
        if reason is not None:
            set_aside.append((name, reason))
            print(f"{name}: {reason}", file=sys.stderr)
        if len(waiting) == BATCH:
            flush()
    flush()
    if output:
        out.close()
        if set_aside:
            beside = Path(output)
            with open(beside.with_name(beside.stem + "-set-aside.csv"), "w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(
                    [("input", "reason"), *((cell(name), cell(reason)) for name, reason in set_aside)]
                )
    return 0 if predicted else 2


def main():
    """Read the command line, predict, write the table. Returns 2 where nothing could be read."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("input", nargs="+", help="a picture, a folder or a zip of pictures")
    arguments.add_argument("--output", help="the table to write; without it the table goes to standard output")
    asked = arguments.parse_args()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # open_picture has its own limit, judged on the header
    labels = json.loads((HERE / "labels.json").read_text(encoding="utf-8"))
    preprocessing = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    calibrated = HERE / "calibration.json"
    calibration = json.loads(calibrated.read_text(encoding="utf-8")) if calibrated.exists() else {}
    run = network()

    def answers(pictures):
        for row in predict(run, pictures, preprocessing, calibration):
            best = answer(row, labels, calibration)
            yield [cell(labels[best]), f"{row[best]:.6f}", *(f"{p:.6f}" for p in row)]

    header = ["input", "prediction", "confidence", *labels]
    return write_table(gather(asked.input), header, open_picture, answers, asked.output)


if __name__ == "__main__":
    sys.exit(main())
