"""Multi-label comments in two languages, generated from sentences written for this studio."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_csv

N, SEED = 240, 7
# Sentences for each topic; a comment has one sentence per topic. English first, then Portuguese.
ABOUT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "delivery": (
        (
            "The parcel came a day early.",
            "It took three weeks to arrive.",
            "The courier left the box in the rain.",
            "Shipping was quick.",
            "I am still waiting for the package.",
            "It was sent to the wrong address.",
            "The driver called before he came.",
            "Tracking never worked.",
        ),
        (
            "A encomenda chegou um dia antes.",
            "Demorou três semanas para chegar.",
            "O entregador deixou a caixa na chuva.",
            "O envio foi rápido.",
            "Ainda espero o pacote.",
            "Foi enviado para o endereço errado.",
            "O motorista ligou antes de vir.",
            "O rastreio nunca funcionou.",
        ),
    ),
    "price": (
        (
            "It costs far too much.",
            "Good value for the money.",
            "The same thing is cheaper elsewhere.",
            "They raised the price twice this year.",
            "With the discount it was a bargain.",
            "I was charged twice.",
            "Fees were added at the end.",
            "Worth every cent.",
        ),
        (
            "Custa caro demais.",
            "Bom pelo preço.",
            "Em outro lugar é mais barato.",
            "Aumentaram o preço duas vezes.",
            "Com o desconto foi uma pechincha.",
            "Fui cobrada duas vezes.",
            "Cobraram taxas no final.",
            "Vale cada centavo.",
        ),
    ),
    "service": (
        (
            "The woman on the phone was very helpful.",
            "Nobody answered my messages.",
            "The staff were rude to us.",
            "Support solved it in five minutes.",
            "I had to explain it to four people.",
            "The waiter was kind.",
            "The chat put me on hold for an hour.",
            "They apologised and called back.",
        ),
        (
            "A moça do telefone ajudou muito.",
            "Ninguém respondeu às minhas mensagens.",
            "Os atendentes foram grosseiros.",
            "O suporte resolveu em cinco minutos.",
            "Tive de explicar a quatro pessoas.",
            "O garçom foi gentil e paciente.",
            "O atendimento me deixou uma hora esperando.",
            "Pediram desculpas e ligaram de volta.",
        ),
    ),
    "quality": (
        (
            "The seam tore after a week.",
            "It is solid and very well made.",
            "The paint peels off.",
            "The material feels cheap.",
            "It broke the first time I used it.",
            "It still works after five years.",
            "The finish is beautiful.",
            "Two screws were missing.",
        ),
        (
            "A costura rasgou em uma semana.",
            "É resistente e muito bem feito.",
            "A tinta descasca.",
            "O material parece frágil.",
            "Quebrou na primeira vez que usei.",
            "Funciona bem há cinco anos.",
            "O acabamento é lindo.",
            "Vieram faltando dois parafusos.",
        ),
    ),
}
ELSE = (
    (
        "I bought it for my sister.",
        "We were there in March.",
        "It is the second one I have.",
        "My neighbour has one.",
        "I saw it in a window.",
        "It was for the office.",
        "I will write again in a month.",
        "This is my first comment.",
    ),
    (
        "Comprei para a minha irmã.",
        "Estivemos lá em março.",
        "É o segundo que tenho.",
        "O meu vizinho também tem.",
        "Vi em uma vitrine.",
        "Era para o escritório.",
        "Escrevo de novo em um mês.",
        "É o meu primeiro comentário.",
    ),
)
HOW_MANY = (0.15, 0.35, 0.35, 0.15)  # shares of comments with 0, 1, 2 and 3 topics


class CommentTopics:
    id = "comment-topics"
    title = sentence("Comments and what they are about, in two languages")
    what = sentence(
        "240 short comments, half of them English, half Portuguese, about delivery, price, service and quality: none "
        "of these, or up to three. They were put together by code from sentences written for this studio, so they are "
        "easier than real ones, and no real person's words."
    )
    task = "multi-label-text-classification"
    spec = {"source": "bundled/minilm-l6", "budget": {"epochs": 6}}  # noqa: RUF012

    def write(self, folder: Path) -> Path:
        """Write a CSV with the columns text, labels (separated by semicolons) and language."""
        rng = np.random.default_rng(SEED)
        made: dict[str, tuple[str, str]] = {}
        while len(made) < N:
            language = len(made) % 2
            topics = sorted(rng.choice(list(ABOUT), int(rng.choice(4, p=HOW_MANY)), replace=False).tolist())
            chosen_texts = [str(rng.choice(ABOUT[topic][language])) for topic in topics]
            if not chosen_texts or rng.random() < 0.5:
                chosen_texts += rng.choice(ELSE[language], 1 if chosen_texts else 2, replace=False).tolist()
            text = " ".join(rng.permutation(chosen_texts).tolist())
            made.setdefault(text, ("; ".join(topics), ("en", "pt")[language]))
        rows = [(text, *rest) for text, rest in made.items()]
        return write_csv(folder / "comment-topics.csv", ("text", "labels", "language"), rows)


SAMPLE = CommentTopics()
