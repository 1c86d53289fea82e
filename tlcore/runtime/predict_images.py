"""Classifies pictures with this bundle alone. Install the packages in requirements.txt first (HEIC: also pillow_heif).

    python predict.py INPUT... [--output predictions.csv]

INPUT is a picture, a folder or a zip of pictures. The table has the columns input, prediction and confidence, then one
column per class. Inputs that cannot be read are reported on standard error with the reason; with --output they are also
listed in a file next to the output.
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

# studio: in a bundle's predict.py these imports from tlcore are replaced by the source of the functions
from tlcore.runtime.images import to_rgb

HERE = Path(__file__).resolve().parent
BATCH = 16
MOST_PIXELS = 100_000_000
MOST_BYTES = 200_000_000  # per picture
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
    """All pictures of the inputs as (name, path or bytes or None, rejection reason or None), sorted by name.

    Names are relative to their folder or zip; with several inputs they start with the name of the input.
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
    """Whether a file is hidden or left behind by an operating system."""
    return any(part.startswith(".") or part in LEFTOVERS for part in name.split("/"))


def open_picture(source):
    """A picture (path or bytes) as 8-bit RGB, upright. Raises ValueError with the reason."""
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
    """A function from pixels to logits (n, classes): by model.onnx, or by torch if there is no such file."""
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
    """Calibrated probabilities (n, classes) of n RGB pictures."""
    whole = np.stack([canvas(p, preprocessing["canvas"], preprocessing["interpolation"]) for p in pictures])
    inputs = pixels(whole, preprocessing["size"], preprocessing["mean"], preprocessing["std"])
    return probabilities(run(np.ascontiguousarray(inputs)), calibration)


def probabilities(logits, calibration):
    """Calibrated probabilities (n, classes) of logits (n, classes), which are divided by the temperature.

    Softmax; for multi-label models (with a threshold) a sigmoid per label.
    """
    logits = logits.astype(np.float64) / calibration.get("temperature", 1.0)
    if calibration.get("threshold"):
        return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def said(shares, labels, calibration):
    """(prediction, confidence) from the probabilities (classes,) of one example: a class and its probability.

    Multi-label: the labels at or above the threshold (or their own threshold, if the bundle has those), joined by
    semicolons, and the lowest probability of all yes-no decisions.
    """
    threshold = calibration.get("threshold")
    if not threshold:
        best = answer(shares, labels, calibration)
        return labels[best], float(shares[best])
    given = shares >= np.array(calibration.get("thresholds") or threshold)
    chosen = "; ".join(labels[place] for place in np.flatnonzero(given))
    return chosen, float(np.where(given, shares, 1 - shares).min())


def answer(shares, labels, calibration):
    """The index of the predicted class: the most probable one, unless the bundle has a decision threshold.

    A decision threshold is for one of two classes: that class if its probability is at least the threshold.
    """
    decision = calibration.get("decision")
    if not decision:
        return int(shares.argmax())
    positive = labels.index(decision["positive"])
    return positive if shares[positive] >= decision["threshold"] else 1 - positive


def cell(value):
    """Text as a safe CSV cell: formulas get a leading apostrophe (plain numbers do not).

    Carriage returns, which could start a new row, become line feeds.
    """
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    digits = value[1:].split(".")
    number = value[:1] in ("+", "-") and len(digits) < 3 and all(part.isascii() and part.isdecimal() for part in digits)
    return "'" + value if value.startswith(("=", "+", "-", "@", "\t", "\n")) and not number else value


def uncell(value):
    """Text of a CSV cell without the apostrophe that `cell` puts before a formula; the inverse of `cell`."""
    return value[1:] if value[:1] == "'" and value[1:].startswith(("=", "+", "-", "@", "\t", "\n", "\r")) else value


def write_table(inputs, header, ready, answers, output):
    """Write one row per input to the CSV ``output`` (None: standard output), in batches.

    ``inputs`` are (name, source, rejection reason or None). ``ready(source)`` preprocesses a source, or raises
    ValueError or OSError with the reason it cannot be used. ``answers(batch)`` returns the cells after the name for
    each row of a batch. Rejected inputs are reported on standard error and, with ``output``, in a CSV next to it.
    Returns 2 if nothing could be read.
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
    """Read the command line, predict, write the table. Returns 2 if nothing could be read."""
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
    Image.MAX_IMAGE_PIXELS = None  # open_picture has its own limit, checked on the header
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
