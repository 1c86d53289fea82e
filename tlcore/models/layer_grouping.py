"""The layers of a network in ordered parts, input to head: what a strategy freezes or slows down."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tlcore.models.layer_groups import LayerGroup

if TYPE_CHECKING:
    from torch import nn

MOST, FEWEST = 14, 4
Key = tuple[float, ...]
STEM: Key = (-1.0,)
NECK: Key = (float("inf"),)


def group(
    net: nn.Module, head_name: str | Sequence[str] | None, matcher: Callable[[str], Key] | None, root: str
) -> list[LayerGroup]:
    """4 to 14 parts that hold every parameter and buffer once; the first is the stem, the last the head.

    ``matcher`` orders a tensor's name (timm's own grouping); without it the numbered blocks of the network
    are found. Names in the parts begin with ``root``, the attribute that holds ``net``. A head may be several modules.
    """
    counts = {name: parameter.numel() for name, parameter in net.named_parameters()}
    own = {
        *counts,
        *(name for name, _ in net.named_buffers()),
    }  # a tied tensor is listed once, by its first name
    tensors = [name for path, module in net.named_modules() for name in _own(path, module) if name in own]
    heads = [head_name] if isinstance(head_name, str) else head_name or []
    in_head = [name for name in tensors if any(name == head or name.startswith(f"{head}.") for head in heads)]
    body = [name for name in tensors if name not in set(in_head)]
    find = matcher or _blocks(body, counts)
    ordered: dict[Key, list[str]] = defaultdict(list)
    for name in body:
        ordered[find(name)].append(name)
    groups = _merge([ordered[key] for key in sorted(ordered)], counts)
    names = ["stem", *(f"block-{i}" for i in range(1, len(groups)))]
    if in_head:
        groups, names = [*groups, in_head], [*names, "head"]
    modules = _modules(net, {tensor: i for i, members in enumerate(groups) for tensor in members})
    return [
        LayerGroup(
            name,
            tuple(f"{root}.{n}" for n in members if n in counts),
            tuple(f"{root}.{n}" for n in modules[i]),
            tuple(f"{root}.{n}" for n in members if n not in counts),
        )
        for i, (name, members) in enumerate(zip(names, groups, strict=True))
    ]


def _blocks(names: list[str], counts: dict[str, int]) -> Callable[[str], Key]:
    """The block of a tensor; what comes before the first block is the stem, behind the last the neck."""
    weight: dict[str, int] = defaultdict(int)
    members: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for match in re.finditer(r"\.?(\d+)(?=\.)", name):
            prefix = name[: match.start()]
            weight[prefix] += counts.get(name, 0)
            members[prefix].add(match.group(1))
    total = sum(counts.get(name, 0) for name in names)
    lists = [p for p in weight if len(members[p]) > 1 and weight[p] >= 0.4 * total]
    if not lists:
        return lambda name: STEM
    outer = min(lists, key=lambda p: (p.count("."), -weight[p]))
    deep = len(members[outer]) < FEWEST
    pattern = re.compile(re.escape(outer) + r"\.?(\d+)\." + (r"(?:[A-Za-z_]+\.)*?(?:(\d+)\.)?" if deep else ""))
    first = next(i for i, name in enumerate(names) if pattern.match(name))
    order = {name: i for i, name in enumerate(names)}

    def find(name: str) -> Key:
        if match := pattern.match(name):
            return tuple(float(n) if n else -0.5 for n in match.groups())
        return STEM if order[name] < first else NECK

    return find


def _own(path: str, module: nn.Module) -> list[str]:
    """Names of the parameters and buffers that a module itself holds, parameters first."""
    prefix = f"{path}." if path else ""
    return [
        prefix + name
        for held in (module._parameters, module._buffers)
        for name, value in held.items()
        if value is not None
    ]


def _merge(groups: list[list[str]], counts: dict[str, int]) -> list[list[str]]:
    """At most MOST - 1 groups: nearly empty ones join their neighbour, then the smallest pairs join."""

    def size(members: Iterable[str]) -> int:
        return sum(counts.get(name, 0) for name in members)

    groups = [list(members) for members in groups]
    i = 1
    while i < len(groups):
        if size(groups[i]) < 0.002 * sum(map(size, groups)) and i > 1:
            groups[i - 1 : i + 1] = [groups[i - 1] + groups[i]]
        else:
            i += 1
    while len(groups) > MOST - 1:
        i = min(range(1, len(groups) - 1), key=lambda i: size(groups[i]) + size(groups[i + 1]))
        groups[i : i + 2] = [groups[i] + groups[i + 1]]
    return groups


def _modules(net: nn.Module, owners: dict[str, int]) -> dict[int, list[str]]:
    """The modules of each part. One without tensors goes with its neighbours inside the same block."""
    inside: dict[str, set[int]] = defaultdict(set)
    for tensor, owner in owners.items():
        path = tensor.rpartition(".")[0]
        while True:
            inside[path].add(owner)
            if not path:
                break
            path = path.rpartition(".")[0]
    found: dict[int, list[str]] = defaultdict(list)
    last = 0
    for name, _ in net.named_modules():
        if not name:
            continue
        owner_set = inside.get(name, set())
        if len(owner_set) == 1:
            last = next(iter(owner_set))
            found[last].append(name)
        elif not owner_set:
            parent = inside.get(name.rpartition(".")[0], set())
            found[next(iter(parent)) if len(parent) == 1 else last].append(name)
        else:
            last = min(owner_set)
    return found
