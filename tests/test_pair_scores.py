"""chrF, BLEU and ROUGE from counts that add up: equal to sacrebleu's own corpora, and to what is computed by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tlcore.tasks.shared import pair_scores
from tlcore.tasks.shared.pair_baselines import lead

WORDS = ("o", "homem", "corre", "no", "parque", "com", "a", "mulher", ",", "e", "dois", "cães", "!", "ação", "é", ".")


def corpora(count: int) -> list[tuple[list[str], list[str]]]:
    rng = np.random.default_rng(0)

    def sentence(least: int) -> str:
        return " ".join(rng.choice(WORDS, int(rng.integers(least, 9))))

    made = []
    for number in range(count):
        references = [sentence(1) for _ in range(int(rng.integers(1, 7)))]
        written = [sentence(0) if number % 3 or rng.random() < 0.5 else reference for reference in references]
        made.append((written, references))
    return made


def test_sums_of_counts_give_sacrebleus_corpus_scores_on_every_resampled_corpus():
    import sacrebleu

    rng = np.random.default_rng(1)
    for written, references in corpora(60):
        n = len(written)
        weights = rng.multinomial(n, [1 / n] * n, size=4)
        found = pair_scores.translation_metrics(weights @ pair_scores.translation_counts(written, references))
        for draw, drawn in enumerate(weights):
            ours, theirs = (
                [text for text, k in zip(side, drawn, strict=True) for _ in range(k)] for side in (written, references)
            )
            assert 100 * found["chrf"][draw] == pytest.approx(sacrebleu.corpus_chrf(ours, [theirs]).score, abs=1e-9)
            assert 100 * found["bleu"][draw] == pytest.approx(sacrebleu.corpus_bleu(ours, [theirs]).score, abs=1e-9)


def test_known_values():
    counts = pair_scores.translation_counts(["the cat sat on the mat"], ["the cat sat on the mat"])
    assert {k: float(v[0]) for k, v in pair_scores.translation_metrics(counts).items()} == pytest.approx(
        {"chrf": 1.0, "bleu": 1.0}
    )
    counts = pair_scores.translation_counts(["", "zzz"], ["the cat", "qqq"])
    assert {k: float(v[0]) for k, v in pair_scores.translation_metrics(counts.sum(0, keepdims=True)).items()} == {
        "chrf": 0.0,
        "bleu": 0.0,
    }


def test_the_longest_common_subsequence_is_that_of_brute_force():
    rng = np.random.default_rng(2)
    for _ in range(60):
        ours, theirs = (list(rng.choice(list("abc"), int(rng.integers(0, 7)))) for _ in range(2))
        subsequences = {part for k in range(len(ours) + 1) for part in combinations(ours, k)}
        expected = max(len(p) for k in range(len(theirs) + 1) for p in combinations(theirs, k) if p in subsequences)
        assert pair_scores.longest_common(ours, theirs) == expected


def test_rouge_by_hand():
    """police killed the gunman / police kill the gunman / the gunman kill police: the example of Lin 2004."""
    reference = "police killed the gunman"
    found = pair_scores.summary_counts(
        ["Police kill the gunman.", "the gunman kill police", "", "Ação já"],
        [reference, reference, reference, "ação, já!"],
    )
    assert found[0, :3] == pytest.approx([3 / 4, 3 / 4, 1 / 3])
    assert found[1, :3] == pytest.approx([1 / 2, 3 / 4, 1 / 3])
    assert found[2, :3] == pytest.approx([0, 0, 0])
    assert found[3, :3] == pytest.approx([1, 1, 1])
    weights = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [0, 2, 0, 2]])
    means = pair_scores.summary_metrics(weights @ found)
    assert means["rouge-l"] == pytest.approx([0.75, (0.75 + 0.5 + 0 + 1) / 4, 0.75])


def test_first_sentences():
    text = "One is here. Two is not!  Three? Four."
    assert lead(text, 1) == "One is here."
    assert lead(text, 3) == "One is here. Two is not! Three?"
    assert lead("no end", 3) == "no end"
