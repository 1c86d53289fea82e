"""Text generation: tokenizes a prompt and generates its continuation.

These functions are copied into a bundle's predict.py, so they import nothing from the studio.
"""

from __future__ import annotations


def begun(tokenizer, preprocessing, text, length):
    """The token ids of a prompt, formatted as in training; truncated from the left to leave room for ``length`` more.

    ``preprocessing`` is the content of preprocessing.json.
    """
    ids = tokenizer.encode(
        preprocessing["before"] + text.strip() + preprocessing["after"], add_special_tokens=False
    ).ids
    first = [] if preprocessing["bos"] is None or ids[:1] == [preprocessing["bos"]] else [preprocessing["bos"]]
    room = max(1, preprocessing["context"] - length - len(first))
    return first + ids[-room:]


def continued(model, ids, preprocessing, settings):
    """The generated token ids after ``ids``.

    ``settings``: length (maximum number of tokens), temperature (0: greedy), top_p and seed.
    """
    import torch

    given = torch.tensor([ids], device=model.device)
    how = {"do_sample": False}
    if settings["temperature"] > 0:
        how = {"do_sample": True, "temperature": settings["temperature"], "top_p": settings["top_p"], "top_k": 0}
    ends = 0 if preprocessing["end"] is None else preprocessing["end"]
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(int(settings["seed"]))
        made = model.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=int(settings["length"]),
            pad_token_id=ends,
            eos_token_id=preprocessing["end"],
            **how,
        )
    return made[0, len(ids) :].tolist()


def readable(text):
    """A generated text with control characters replaced by U+FFFD, except newlines and tabs."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
