"""Models on the Hugging Face hub or a mirror of it: whether it answers, what is here already, and
downloading.

``HF_ENDPOINT`` names a mirror, ``HF_HOME`` or ``HF_HUB_CACHE`` the cache, ``HF_HUB_OFFLINE=1`` forbids the
network, and ``TLCORE_MODELS`` is a folder of models copied in by hand (``owner/name``, ``owner--name`` or
``name`` below it).
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tlcore.core.errors import Cancelled, UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.models import tokenization
from tlcore.models.weight_files import CONFIG, PICKLES, WEIGHTS

WANTED = (CONFIG, WEIGHTS, "preprocessor_config.json", "README.md", *tokenization.FILES)
REMEMBERED = 180.0  # seconds for which an answer about the hub is believed
UNREACHABLE = sentence(
    "The model hub is not reachable from this machine. The bundled model works without it, and so do models that are "
    "on this machine already or in the folder that TLCORE_MODELS names."
)
Progress = Callable[..., None]  # progress(share or None, sentence)

_answers: dict[str, tuple[float, bool]] = {}
_asking = threading.Lock()


def endpoint() -> str:
    """The address of the hub or of its mirror."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids the network."""
    return (os.environ.get("HF_HUB_OFFLINE") or "").strip().upper() in ("1", "ON", "YES", "TRUE")


def reachable(timeout: float = 2.5) -> bool:
    """Whether the hub answers, found out within ``timeout`` seconds and remembered for a while."""
    if offline():
        return False
    address = endpoint()
    deadline = time.monotonic() + timeout
    if not _asking.acquire(timeout=timeout):
        return False
    try:
        known = remembered()
        if known is not None:
            return known
        # A thread, since looking up a name in a network that swallows packets cannot be cut short. It notes
        # its answer even when that comes too late for this caller.
        asker = threading.Thread(target=_ask, args=(address, timeout), daemon=True)
        asker.start()
        asker.join(max(0.1, deadline - time.monotonic()))
        known = remembered()
        if known is None:
            known = False
            _answers[address] = (time.monotonic(), False)
        return known
    finally:
        _asking.release()


def remembered() -> bool | None:
    """What was found out in the last minutes, without asking; None where nothing was."""
    if offline():
        return False
    when, answer = _answers.get(endpoint(), (float("-inf"), False))
    return answer if time.monotonic() - when < REMEMBERED else None


def forget() -> None:
    """Ask again next time."""
    _answers.clear()


def local(hub_id: str, revision: str | None) -> tuple[Path, str | None] | None:
    """The folder of a model that is here already, and its commit where it came from the hub."""
    owner, _, name = hub_id.partition("/")
    if by_hand := os.environ.get("TLCORE_MODELS"):
        for candidate in (f"{owner}/{name}", f"{owner}--{name}", f"models--{owner}--{name}", name):
            folder = Path(by_hand).expanduser() / candidate
            if (folder / CONFIG).is_file():
                return folder, None
    cached = _cache() / f"models--{owner}--{name}"
    wanted = revision or "main"
    ref = cached / "refs" / wanted
    commit = ref.read_text().strip() if ref.is_file() else wanted
    folder = cached / "snapshots" / commit
    if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
        return folder, commit
    return None


def download(hub_id: str, revision: str | None, progress: Progress | None = None) -> tuple[Path, str]:
    """Fetch the few files that are needed; the snapshot's folder and its commit. Raises UnusableInput."""
    if not reachable():
        raise UnusableInput(UNREACHABLE, code="hub-unreachable")
    import huggingface_hub
    from huggingface_hub import errors

    report_progress = progress or (lambda share, message: None)
    report_progress(None, sentence("Looking up {model} on the hub", model=hub_id))
    where: dict[str, Any] = {"endpoint": endpoint(), "cache_dir": _cache(), "tqdm_class": _bar(report_progress, hub_id)}
    try:
        info = huggingface_hub.HfApi(endpoint=endpoint()).model_info(
            hub_id, revision=revision or "main", timeout=15, files_metadata=True
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        _usable(hub_id, sizes)
        first = huggingface_hub.hf_hub_download(hub_id, CONFIG, revision=revision or "main", **where)
        commit = Path(first).parent.name
        for name in WANTED[1:]:
            if name in sizes:
                huggingface_hub.hf_hub_download(hub_id, name, revision=commit, **where)
    except (UnusableInput, Cancelled):
        raise
    except errors.GatedRepoError:
        raise UnusableInput(
            sentence(
                "{model} is only given to people who accepted its licence on the hub. Accept it on {address}, sign in "
                "on this machine with a token (HF_TOKEN), and try again.",
                model=hub_id,
                address=f"{endpoint()}/{hub_id}",
            ),
            code="source-gated",
        ) from None
    except errors.RevisionNotFoundError:
        raise UnusableInput(
            sentence("{model} has no revision called {revision}.", model=hub_id, revision=revision),
            code="source-unknown",
        ) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise UnusableInput(
            sentence("There is no model called {model} on the hub, or it is not public.", model=hub_id),
            code="source-unknown",
        ) from None
    except OSError as error:
        if isinstance(error, errors.HfHubHTTPError) or error.errno is None:
            raise _broken_off(hub_id, error) from None
        raise UnusableInput(
            sentence(
                "{model} could not be kept on this machine: {reason}.",
                model=hub_id,
                reason=error.strerror or "",
            ),
            code="disk",
        ) from None
    except Exception as error:  # the hub's client raises its HTTP library's errors, which differ between versions
        raise _broken_off(hub_id, error) from None
    return Path(first).parent, commit


def _usable(hub_id: str, sizes: dict[str, int]) -> None:
    """Refuse by the list of files, before anything large is fetched."""
    if CONFIG not in sizes:
        raise UnusableInput(
            sentence("{model} has no config.json, so its architecture is not known.", model=hub_id),
            code="source-config",
        )
    if WEIGHTS not in sizes:
        if any(name.startswith("model-0") and name.endswith(".safetensors") for name in sizes):
            raise UnusableInput(
                sentence(
                    "The weights of {model} are cut into several files. Only models whose weights are the single file "
                    "model.safetensors can be used here.",
                    model=hub_id,
                ),
                code="source-sharded",
            )
        pickled = [name for name in sizes if name.lower().endswith(PICKLES)]
        raise UnusableInput(
            sentence(
                "{model} has no model.safetensors, only {name}. Such a file can run program code when it is opened, so "
                "it is never opened here.",
                model=hub_id,
                name=pickled[0],
            )
            if pickled
            else sentence("{model} has no model.safetensors.", model=hub_id),
            code="source-pickle" if pickled else "source-weights",
        )
    free = shutil.disk_usage(_existing(_cache())).free
    if sizes[WEIGHTS] > free - 200_000_000:
        raise UnusableInput(
            sentence(
                "{model} needs {need} MB of disk; {free} MB are free.",
                model=hub_id,
                need=round(sizes[WEIGHTS] / 1e6),
                free=round(free / 1e6),
            ),
            code="disk-full",
        )


def _ask(address: str, timeout: float) -> None:
    """A small question to the hub, through the client (proxies, certificates) that downloads use."""
    try:
        from huggingface_hub.utils import get_session

        status = get_session().get(f"{address}/api/models?limit=1", timeout=timeout).status_code
        answer = status < 400 or status in (401, 429)
    except Exception:  # whatever went wrong, the hub did not answer
        answer = False
    _answers[address] = (time.monotonic(), answer)


def _cache() -> Path:
    if named := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _broken_off(hub_id: str, error: Exception) -> UnusableInput:
    return UnusableInput(
        sentence(
            "Downloading {model} broke off ({reason}). What was fetched is kept; try again.",
            model=hub_id,
            reason=type(error).__name__,
        ),
        code="hub-broken-off",
    )


def _bar(report_progress: Progress, hub_id: str) -> type:
    """What the hub's client takes for a progress bar: it calls ``report_progress`` once a per cent."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            self.seen, self.told_at = kwargs.get("initial") or 0, -1
            self.whole = kwargs.get("total") or 0
            kwargs["disable"] = True
            kwargs.pop("name", None)
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            self.seen += n or 0
            percent = int(100 * self.seen / self.whole) if self.whole else -1
            if percent > self.told_at and self.whole > 1_000_000:
                self.told_at = percent
                message: Sentence = sentence(
                    "Downloading {model}: {done} of {whole} MB",
                    model=hub_id,
                    done=round(self.seen / 1e6),
                    whole=round(self.whole / 1e6),
                )
                report_progress(min(1.0, self.seen / self.whole), message)
            return None

    return Bar
