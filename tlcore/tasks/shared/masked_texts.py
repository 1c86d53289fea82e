"""Texts with masked tokens, for masked language modelling.

The masking depends on (seed, epoch, example, position) only, so that a killed and resumed training gives the same
weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import tokenization
from tlcore.tasks.shared.augmentation import uniform

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.tasks.shared.text_examples import Tokens

ASKED = 0.15  # share of the tokens to predict (Devlin et al. 2019, arXiv 1810.04805, section 3.1)
HIDDEN, OTHER = 0.8, 0.1  # of these: replaced by the mask token, by a random token; the rest stay unchanged
DRAWS = 3  # random numbers for each position: whether to predict it, what replaces it, which random token


class MaskedTexts:
    """The training texts of a dataset; labels are not used. Raises UnusableInput without a mask token."""

    def __init__(self, dataset: Dataset, held: Tokens, pad: int):
        self.rows = np.flatnonzero((dataset.rows["split"] == "train").to_numpy())
        self.held, self.pad = held, pad
        assert held.model is not None
        tokenizer_json = tokenization.read(held.model)
        _, hidden, special = tokenization.specials(tokenizer_json)
        if hidden is None:
            raise UnusableInput(
                sentence(
                    "This source model's tokenizer has no token that hides another, so that it cannot learn to guess "
                    "hidden ones. Choose another source model or another objective."
                ),
                code="no-mask",
            )
        size = tokenization.open_tokenizer(tokenizer_json, 8).get_vocab_size(with_added_tokens=True)
        self.hidden, self.special = hidden, np.array(sorted({*special, pad}), np.int64)
        self.ordinary = np.setdiff1d(np.arange(size), self.special)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text (n,)."""
        return self.held.lengths(self.rows)

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, torch.Tensor]]:
        """One batch for each chunk of indices.

        ``ids``, ``mask`` and ``truth`` (k, longest) int64, and ``asked`` (k, longest) bool, the positions to predict.
        ``key`` is (seed, epoch); None means (0, 0).
        """
        import torch

        for chunk in chunks:
            rows = self.rows[chunk]
            truth, mask = self.held.padded(rows, self.pad)
            ids, asked = self.hide(truth, uniform(*(key or (0, 0)), rows, DRAWS * truth.shape[1]))
            made = {"ids": ids, "mask": mask, "truth": truth, "asked": asked}
            yield {name: torch.from_numpy(values).to(device) for name, values in made.items()}

    def hide(self, truth: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The masked ids (k, T) and the positions to predict (k, T) bool; special tokens are never masked.

        ``numbers`` (k, 3 T) are in [0, 1), three for each position, so that padding does not change the result.
        """
        which, how, other = (numbers[:, draw::DRAWS] for draw in range(DRAWS))
        asked = (which < ASKED) & ~np.isin(truth, self.special)
        others = self.ordinary[(other * len(self.ordinary)).astype(np.int64)]
        seen = np.where(how < HIDDEN, self.hidden, np.where(how < HIDDEN + OTHER, others, truth))
        return np.where(asked, seen, truth), asked


def of(context: Any, dataset: Dataset) -> MaskedTexts:
    """The masked training texts of a dataset, tokenized like the run's own texts.

    ``context`` is the `training.Fitting` context of the run.
    """
    from tlcore.tasks.shared.text_examples import Tokens

    held = Tokens(dataset, context.source.folder, context.processor["size"], context.cache / "tokens")
    return MaskedTexts(dataset, held, context.processor["pad"])
