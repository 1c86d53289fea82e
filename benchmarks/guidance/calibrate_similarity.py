"""Measure the near end of similarity: natural photographs through networks that were trained on such photographs.

    TLCORE_ASSETS=… python benchmarks/guidance/calibrate_similarity.py [--write]

The far end is measured through each network whenever it is used (pictures made by code); what is fixed here, for all
networks, is how far above that end the source's own kind of data lies: as the ratio of the free energy, and of the
participation ratio, of 500 photographs to those of the far end. The constant is the geometric mean over the ImageNet
classifiers in the folder, each at two picture sizes; ``--write`` puts it into tlcore/guidance/calibration.json. Printed
beside it: the ratio of each network, and where other pictures come out on the finished scale.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tlcore.guidance import similarity as s
from tlcore.models.loading import open_folder
from tlcore.models.source_model import SourceModel
from tlcore.runtime.image_canvas import canvas, pixels
from tlcore.tasks.image_classification.out_of_distribution import batches, reference_pictures
from tlcore.training.features import Watch

NETWORKS = ("mobilenetv2_100_in1k", "mobilenetv1_100_in1k", "mobilenet_v1_0.25_128_in1k")
SIZES = (96, 128)
PHOTOS = 500
OUT = Path(__file__).parents[2] / "tlcore" / "guidance" / "calibration.json"


def photographs(assets: Path) -> list[Image.Image]:
    with tarfile.open(assets / "pool" / "imagenet_samples.tar") as tar:
        members = sorted((m for m in tar.getmembers() if m.isfile()), key=lambda m: m.name)
        members = [m for m in members if m.name.lower().endswith((".jpg", ".jpeg", ".png"))]
        chosen = np.random.default_rng(0).permutation(len(members))[:PHOTOS]
        return [Image.open(io.BytesIO(tar.extractfile(members[i]).read())).convert("RGB") for i in chosen]


def drawn_later(size: int) -> np.ndarray:
    """Digits as in `far_pictures`, dark on bright: code-drawn, but not the far end itself."""
    return (255 * (1 - 0.8 * reference_pictures(size, 64)["drawn"])).astype(np.uint8)


def measured(model, inputs: torch.Tensor) -> tuple[object, np.ndarray, np.ndarray]:
    """Moments, features and logits of a stack of inputs."""
    watch = Watch(model)
    with torch.inference_mode():
        features = torch.cat([model.features(part) for part in inputs.split(32)])
        logits = model.classify(features)
    watch.stop()
    return watch.moments(256), features.numpy(), logits.numpy()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="Write calibration.json.")
    result = parser.parse_args()
    assets = Path(os.environ["TLCORE_ASSETS"])
    photos = photographs(assets)
    ratios: dict[str, list[float]] = {"head": [], "spread": []}
    seen = []
    for name in NETWORKS:
        opened = open_folder(assets / "models" / name, SourceModel(id=name, title=name))
        for size in SIZES:
            model = opened.build(None, True, image_size=size).eval()
            how = {"size": size, "mean": opened.preprocess["mean"], "std": opened.preprocess["std"]}
            far = {
                kind: s.out_of_distribution_reference(*measured(model, batch["pixels"]))
                for kind, batch in batches(how, "cpu").items()
            }

            def inputs(canvases: np.ndarray, how: dict = how) -> torch.Tensor:
                return torch.from_numpy(pixels(canvases, how["size"], how["mean"], how["std"]))

            near = measured(model, inputs(np.stack([canvas(p, size) for p in photos])))
            other = measured(model, inputs(drawn_later(size)))
            ends = {part: s._level(far, part) for part in ("statistics", *ratios)}
            here = s.out_of_distribution_reference(*near)
            for part, values in ratios.items():
                values.append(here[part] / ends[part])
            seen.append((name, size, near, other, far))
            print(
                f"{name} {size} px: distance {here['statistics']:.3f} of {ends['statistics']:.3f}, energy ratio "
                f"{ratios['head'][-1]:.2f}, participation ratio {ratios['spread'][-1]:.2f}",
                flush=True,
            )
    near = {part: round(float(np.exp(np.mean(np.log(values)))), 3) for part, values in ratios.items()}
    print("near end:", near)
    if result.write:
        OUT.write_text(
            json.dumps(
                {
                    "near": near,
                    "photographs": PHOTOS,
                    "networks": NETWORKS,
                    "sizes": SIZES,
                    "script": "benchmarks/guidance/calibrate_similarity.py",
                },
                indent=1,
            )
            + "\n"
        )
        s.calibration.cache_clear()
    for name, size, near_seen, other_seen, far in seen:
        values = [s.similarity(*one, far) for one in (near_seen, other_seen)]
        for kind, value in zip(("photographs", "dark digits"), values, strict=True):
            parts = ", ".join(f"{part.id} {part.value:.2f}" for part in value.parts)
            print(f"{name} {size} px, {kind}: {value.value:.2f} ({parts})")


if __name__ == "__main__":
    main()
