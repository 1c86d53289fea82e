"""How a prompt becomes the tokens that a model goes on from, and what it writes behind them.

A bundle's predict.py gets these functions written into it, so they use nothing of the studio.
"""

from __future__ import annotations


def begun(tokenizer, preprocessing, text, length):
    """The token ids of a prompt as the model was trained on them, the last ones where there are too many to leave room
    for ``length`` more. ``told`` is preprocessing.json."""
    ids = tokenizer.encode(
        preprocessing["before"] + text.strip() + preprocessing["after"], add_special_tokens=False
    ).ids
    first = [] if preprocessing["bos"] is None or ids[:1] == [preprocessing["bos"]] else [preprocessing["bos"]]
    room = max(1, preprocessing["context"] - length - len(first))
    return first + ids[-room:]


def continued(model, ids, preprocessing, settings):
    """The token ids that the model writes behind ``ids``: at most ``length``, by temperature, top-p and seed."""
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
    """A written text without control characters, which a model may write and no table should hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
