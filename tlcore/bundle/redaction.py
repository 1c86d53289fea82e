"""Removes examples of the data from a bundle; the model stays unchanged."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tlcore.core import atomic_files

EXAMPLE = "example/"
CARD = "README.md"
MANIFEST = "manifest.json"


def redact(path: Path, changed: Mapping[str, bytes]) -> None:
    """Replace the bundle at ``path`` by one without its example (atomically).

    Report files are replaced by those in ``changed`` (name to content), or removed if they are not in it. The model
    card and the manifest are updated.
    """
    with zipfile.ZipFile(path) as old:
        names = [name for name in old.namelist() if _stays(name, changed)]
        new = {name: content for name, content in changed.items() if name in names}
        manifest = json.loads(old.read(MANIFEST)) if MANIFEST in names else {"files": {}}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in new.items()}
        if CARD in names:
            new[CARD] = _card(old.read(CARD).decode(), manifest["files"], digests).encode()
            digests[CARD] = hashlib.sha256(new[CARD]).hexdigest()
        kept = {name: digest for name, digest in manifest["files"].items() if _stays(name, changed)}
        manifest["files"] = dict(sorted({**kept, **digests}.items()))
        if MANIFEST in names:
            new[MANIFEST] = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
        with atomic_files.atomic_path(path) as draft, zipfile.ZipFile(draft, "w") as archive:
            for name in names:
                member = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
                member.external_attr = 0o644 << 16
                member.compress_type = old.getinfo(name).compress_type
                with archive.open(member, "w", force_zip64=True) as target:
                    if name in new:
                        target.write(new[name])
                    else:
                        with old.open(name) as source:
                            shutil.copyfileobj(source, target, 1 << 20)


def _stays(name: str, changed: Mapping[str, bytes]) -> bool:
    return not name.startswith(EXAMPLE) and (name in changed or not name.startswith("report."))


def _card(text: str, before: Mapping[str, str], digests: Mapping[str, str]) -> str:
    """The model card with the new digests of the changed files, and without mentions of the example."""
    for name, digest in digests.items():
        if name in before:
            text = text.replace(before[name], digest)
    text = re.sub(rf"^\| `{EXAMPLE}.*\n", "", text, flags=re.MULTILINE)
    return re.sub(rf"^.*`{EXAMPLE}.*\n", "", text, flags=re.MULTILINE)
