"""Short sentences in English and Portuguese, written for this studio: 300 from small grammars, 40 by hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_csv

Pair = tuple[str, str]
PEOPLE = (
    ("The teacher", "A professora"),
    ("My brother", "Meu irmão"),
    ("Our neighbour", "Nossa vizinha"),
    ("The doctor", "O médico"),
    ("Her daughter", "A filha dela"),
    ("The driver", "O motorista"),
    ("My friend", "Meu amigo"),
    ("The cook", "A cozinheira"),
)
DOINGS = (
    ("buys bread", "compra pão"),
    ("reads the newspaper", "lê o jornal"),
    ("waits for the bus", "espera o ônibus"),
    ("drinks coffee", "toma café"),
    ("works at home", "trabalha em casa"),
    ("walks in the park", "caminha no parque"),
    ("opens the window", "abre a janela"),
    ("writes a letter", "escreve uma carta"),
)
TIMES = (
    ("in the morning", "de manhã"),
    ("every day", "todos os dias"),
    ("on Saturdays", "aos sábados"),
    ("after lunch", "depois do almoço"),
    ("at night", "à noite"),
)
# English, Portuguese with its article, and whether it is feminine.
THINGS = (
    ("house", "a casa", True),
    ("car", "o carro", False),
    ("street", "a rua", True),
    ("garden", "o jardim", False),
    ("kitchen", "a cozinha", True),
    ("book", "o livro", False),
    ("table", "a mesa", True),
    ("train", "o trem", False),
    ("city", "a cidade", True),
    ("coat", "o casaco", False),
)
QUALITIES = (
    ("small", "pequeno", "pequena"),
    ("new", "novo", "nova"),
    ("old", "velho", "velha"),
    ("clean", "limpo", "limpa"),
    ("beautiful", "bonito", "bonita"),
    ("red", "vermelho", "vermelha"),
    ("expensive", "caro", "cara"),
)
PLACES = (
    ("the bank", "o banco"),
    ("the station", "a estação"),
    ("the hospital", "o hospital"),
    ("the school", "a escola"),
    ("the museum", "o museu"),
    ("the library", "a biblioteca"),
    ("the market", "o mercado"),
    ("the beach", "a praia"),
)
WISHES = (
    ("a glass of water", "um copo de água"),
    ("a cup of tea", "uma xícara de chá"),
    ("two tickets", "dois bilhetes"),
    ("a quiet room", "um quarto tranquilo"),
    ("the bill", "a conta"),
    ("some fruit", "algumas frutas"),
    ("a sandwich", "um sanduíche"),
    ("a map of the city", "um mapa da cidade"),
)
COUNTS = (
    ("two", "dois", "duas"),
    ("three", "três", "três"),
    ("four", "quatro", "quatro"),
    ("many", "muitos", "muitas"),
)
MANY = (
    ("books", "livros", False),
    ("apples", "maçãs", True),
    ("cups", "xícaras", True),
    ("knives", "facas", True),
    ("letters", "cartas", True),
    ("plates", "pratos", False),
    ("flowers", "flores", True),
)
WHERE = (
    ("on the table", "na mesa"),
    ("in the kitchen", "na cozinha"),
    ("in the box", "na caixa"),
    ("near the door", "perto da porta"),
)
BY_HAND = (
    ("Good morning, how are you?", "Bom dia, como vai você?"),
    ("Thank you very much for your help.", "Muito obrigado pela sua ajuda."),
    ("I do not understand the question.", "Eu não entendo a pergunta."),
    ("What time does the shop close?", "A que horas fecha a loja?"),
    ("It is raining and I have no umbrella.", "Está chovendo e eu não tenho guarda-chuva."),
    ("We arrived late because of the traffic.", "Chegamos tarde por causa do trânsito."),
    ("My telephone does not work any more.", "Meu telefone não funciona mais."),
    ("How much does this cost?", "Quanto custa isto?"),
    ("She speaks three languages.", "Ela fala três línguas."),
    ("The meeting was moved to Thursday.", "A reunião foi mudada para quinta-feira."),
    ("Please close the door quietly.", "Por favor, feche a porta sem barulho."),
    ("I lost my keys on the way home.", "Perdi minhas chaves a caminho de casa."),
    ("They live near the river.", "Eles moram perto do rio."),
    ("The soup needs a little more salt.", "A sopa precisa de um pouco mais de sal."),
    ("Do you have a smaller size?", "Você tem um tamanho menor?"),
    ("The children are playing outside.", "As crianças estão brincando lá fora."),
    ("We have been waiting for an hour.", "Estamos esperando há uma hora."),
    ("Turn left at the second corner.", "Vire à esquerda na segunda esquina."),
    ("He forgot his wife's birthday.", "Ele esqueceu o aniversário da esposa."),
    ("The film begins at eight o'clock.", "O filme começa às oito horas."),
    ("I am looking for a pharmacy.", "Estou procurando uma farmácia."),
    ("The winter here is short and mild.", "O inverno aqui é curto e ameno."),
    ("Her answer surprised everybody.", "A resposta dela surpreendeu todo mundo."),
    ("You can pay by card or in cash.", "Você pode pagar com cartão ou em dinheiro."),
    ("The dog sleeps under the chair.", "O cachorro dorme embaixo da cadeira."),
    ("We will see each other next week.", "Nós nos veremos na semana que vem."),
    ("The road to the mountains is closed.", "A estrada para as montanhas está fechada."),
    ("I prefer tea without sugar.", "Prefiro chá sem açúcar."),
    ("Nobody answered the telephone.", "Ninguém atendeu o telefone."),
    ("The baby woke up twice last night.", "O bebê acordou duas vezes na noite passada."),
    ("Could you repeat that more slowly?", "Você poderia repetir isso mais devagar?"),
    ("The bread is still warm.", "O pão ainda está quente."),
    ("They built the bridge in two years.", "Eles construíram a ponte em dois anos."),
    ("Is there a free seat in this row?", "Há um lugar livre nesta fila?"),
    ("My grandmother taught me to sew.", "Minha avó me ensinou a costurar."),
    ("The lights went out during the storm.", "As luzes se apagaram durante a tempestade."),
    ("I would rather stay at home today.", "Prefiro ficar em casa hoje."),
    ("He paints the fence every spring.", "Ele pinta a cerca toda primavera."),
    ("The letter arrived without a stamp.", "A carta chegou sem selo."),
    ("We need more time to decide.", "Precisamos de mais tempo para decidir."),
)
EACH = 60  # sentences per grammar


def pairs() -> list[Pair]:
    """All pairs, the same each time."""
    rng = np.random.default_rng(0)
    found = list(BY_HAND)
    for grammar in (_doings(), _qualities(), _places(), _wishes(), _counts()):
        every = list(grammar)
        found += [every[place] for place in np.sort(rng.permutation(len(every))[:EACH])]
    return found


def _doings() -> Iterator[Pair]:
    for (who, quem), (does, faz), (when, quando) in product(PEOPLE, DOINGS, TIMES):
        yield f"{who} {does} {when}.", f"{quem} {faz} {quando}."


def _qualities() -> Iterator[Pair]:
    for (thing, coisa, feminine), (like, masculino, feminino) in product(THINGS, QUALITIES):
        quality = feminino if feminine else masculino
        yield f"The {thing} is {like}.", f"{coisa[0].upper()}{coisa[1:]} é {quality}."
        yield f"The {thing} is not very {like}.", f"{coisa[0].upper()}{coisa[1:]} não é muito {quality}."


def _places() -> Iterator[Pair]:
    for place, lugar in PLACES:
        yield f"Where is {place}?", f"Onde fica {lugar}?"
        yield f"Is {place} far from here?", f"{lugar[0].upper()}{lugar[1:]} fica longe daqui?"
        yield f"I have never seen {place}.", f"Eu nunca vi {lugar}."
        yield f"You can see {place} from the window.", f"Você pode ver {lugar} da janela."
        for time, hora in (("today", "hoje"), ("on Sundays", "aos domingos"), ("at noon", "ao meio-dia")):
            yield f"Does {place} open {time}?", f"{lugar[0].upper()}{lugar[1:]} abre {hora}?"
            yield f"We visit {place} {time}.", f"Nós visitamos {lugar} {hora}."


def _wishes() -> Iterator[Pair]:
    asks = (
        ("I would like {}, please.", "Eu gostaria de {}, por favor."),
        ("Can you bring me {}?", "Pode me trazer {}?"),
        ("We need {}.", "Nós precisamos de {}."),
        ("They asked for {}.", "Eles pediram {}."),
        ("She wants {} now.", "Ela quer {} agora."),
        ("I forgot {}.", "Eu esqueci {}."),
        ("He brought {} for us.", "Ele trouxe {} para nós."),
        ("Do you want {}?", "Você quer {}?"),
    )
    for (ask, pedido), (wish, desejo) in product(asks, WISHES):
        text = pedido.format(desejo).replace("de a conta", "da conta")
        yield ask.format(wish), text


def _counts() -> Iterator[Pair]:
    for (count, masculino, feminino), (things, coisas, feminine), (where, onde) in product(COUNTS, MANY, WHERE):
        yield f"There are {count} {things} {where}.", f"Há {feminino if feminine else masculino} {coisas} {onde}."


class Phrases:
    id = "phrases"
    title = sentence("Sentences in English and Portuguese")
    what = sentence(
        "340 short sentences with their translations into Portuguese: 300 put together from small grammars, 40 written "
        "by hand. They were written for this studio; the score holds for such sentences only."
    )
    task = "translation"
    spec = {  # noqa: RUF012
        "source": "bundled/minilm-l6",
        "strategy": "fine-tuning",
        "budget": {"epochs": 12},
        "options": {"batch_size": 16, "learning_rate": 8e-4},
    }

    def write(self, folder: Path) -> Path:
        """Write a CSV with the columns source and target."""
        return write_csv(folder / "phrases.csv", ("source", "target"), pairs())


SAMPLE = Phrases()
