"""Short comments in English and Portuguese, written for this studio; no real person's words."""

from __future__ import annotations

from pathlib import Path

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_csv

# Comments as in a survey, one tuple per label. In each tuple English first, then Portuguese.
POSITIVE = (
    "The delivery came a day early and everything was in perfect order.",
    "I love how quiet this machine is.",
    "Friendly staff, clean rooms, and a wonderful breakfast.",
    "The new screen is bright and easy to read.",
    "Great value for the money, I would buy it again.",
    "My problem was solved in five minutes, thank you!",
    "The soup was delicious and still hot when it arrived.",
    "Best headphones I have ever owned.",
    "The course was clear, well paced and fun.",
    "Setup was simple and it worked the first time.",
    "The seats are comfortable and the train was on time.",
    "What a beautiful garden, we stayed all afternoon.",
    "The doctor listened patiently and explained everything.",
    "This jacket keeps me warm and looks fantastic.",
    "Excellent support, they even called back to check.",
    "The app became much faster after the update, well done.",
    "A charming little shop with lovely people.",
    "The paint dried quickly and the colour is gorgeous.",
    "Our children laughed the whole evening, a superb show.",
    "Strong, light and very well made.",
    "A entrega chegou antes do prazo e tudo estava perfeito.",
    "Adorei o atendimento, muito rápido e gentil.",
    "O quarto era limpo, silencioso e confortável.",
    "Comida deliciosa e preço justo, voltarei com certeza.",
    "O aplicativo ficou ótimo depois da atualização.",
    "Excelente produto, superou as minhas expectativas.",
    "A professora explica muito bem, aprendi bastante.",
    "Resolveram o meu problema na hora, obrigado!",
    "A bateria dura muito, estou encantada.",
    "O show foi maravilhoso do começo ao fim.",
    "Material resistente e acabamento bonito.",
    "Equipe simpática e lugar agradável.",
    "O café da manhã é farto e saboroso.",
    "Foi fácil de montar e funciona perfeitamente.",
    "Recomendo a todos, a melhor compra do ano.",
    "O médico foi atencioso e paciente.",
    "O ônibus novo é confortável e pontual.",
    "Linda vista, ficamos muito felizes com a viagem.",
    "O tecido é macio e a cor é linda.",
    "Ótima leitura, não consegui parar.",
)
NEGATIVE = (
    "The package arrived broken and nobody answered my calls.",
    "The room smelled bad and the bed was awful.",
    "I waited an hour for a cold meal.",
    "It stopped working after two days, a waste of money.",
    "The app crashes every time I open it.",
    "Rude staff and a terrible experience overall.",
    "The zip tore the first time I wore the coat.",
    "The instructions are confusing and half the screws were missing.",
    "Far too expensive for such poor quality.",
    "The battery is dead after an hour, very disappointing.",
    "The lecture was boring and badly prepared.",
    "They charged me twice and refuse to pay it back.",
    "The noise of the fan is unbearable.",
    "The screen has ugly scratches and dead pixels.",
    "Worst trip ever, late, dirty and crowded.",
    "The colour faded after one wash.",
    "I am angry, my complaint has been ignored for weeks.",
    "The soup was salty and the bread was stale.",
    "The chair wobbles and hurts my back.",
    "A dull film with horrible acting.",
    "O produto chegou quebrado e ninguém me responde.",
    "Péssimo atendimento, nunca mais volto.",
    "A comida estava fria e sem gosto.",
    "O aplicativo trava o tempo todo, uma decepção.",
    "Paguei caro por um material horrível.",
    "O quarto cheirava mal e a cama era ruim.",
    "Atrasaram a entrega três vezes, um desrespeito.",
    "A bateria não dura nada, estou muito insatisfeito.",
    "Cobraram duas vezes e não devolvem o dinheiro.",
    "O barulho é insuportável, não consegui dormir.",
    "Veio faltando peças e o manual é confuso.",
    "A aula foi chata e mal preparada.",
    "O sapato rasgou na primeira semana.",
    "Fila enorme e funcionários grosseiros.",
    "A tela veio riscada, que raiva.",
    "O ônibus estava sujo, lotado e atrasado.",
    "Filme fraco, atuação terrível.",
    "A cor desbotou na primeira lavagem.",
    "Reclamei e fui ignorada, péssima empresa.",
    "Não funciona, foi dinheiro jogado fora.",
)
NEUTRAL = (
    "The parcel was handed over on Tuesday at ten.",
    "The room has two beds and a window to the street.",
    "The menu lists four soups and six salads.",
    "The device weighs two kilograms and is black.",
    "The meeting takes place in room twelve.",
    "The app asks for a name and a date of birth.",
    "The train stops in three towns.",
    "The box holds a cable and a manual.",
    "The course lasts six weeks, with one lesson a week.",
    "The shop opens at nine and closes at six.",
    "The film is two hours long.",
    "The jacket is sold in blue and in grey.",
    "The form has five pages.",
    "The invoice is dated the third of May.",
    "The museum is next to the station.",
    "The battery is charged through a round plug.",
    "The table is made of pine and measures one metre.",
    "The survey was sent to all customers.",
    "The update was installed on Monday.",
    "The bus leaves every twenty minutes.",
    "O pacote foi entregue na terça-feira às dez.",
    "O quarto tem duas camas e uma janela.",
    "O cardápio traz quatro sopas e seis saladas.",
    "O aparelho pesa dois quilos e é preto.",
    "A reunião será na sala doze.",
    "O aplicativo pede nome e data de nascimento.",
    "O trem para em três cidades.",
    "A caixa contém um cabo e um manual.",
    "O curso dura seis semanas.",
    "A loja abre às nove e fecha às seis.",
    "O filme tem duas horas.",
    "A jaqueta é vendida em azul e em cinza.",
    "O formulário tem cinco páginas.",
    "A nota fiscal é do dia três de maio.",
    "O museu fica ao lado da estação.",
    "A mesa é de pinho e mede um metro.",
    "A pesquisa foi enviada a todos os clientes.",
    "A atualização foi instalada na segunda-feira.",
    "O ônibus sai a cada vinte minutos.",
    "O relatório está na pasta do projeto.",
)


class Feedback:
    id = "feedback"
    title = sentence("Comments in two languages")
    what = sentence(
        "120 short comments, half of them English, half Portuguese, praising, complaining or neither. They were "
        "written for this studio and are no real person's words."
    )
    task = "sentiment-analysis"
    spec = {"source": "bundled/minilm-l6", "budget": {"epochs": 6}}  # noqa: RUF012

    def write(self, folder: Path) -> Path:
        """Write a CSV with the columns text, label and language."""
        rows = [
            (text, label, "en" if place < len(texts) // 2 else "pt")
            for label, texts in (("positive", POSITIVE), ("negative", NEGATIVE), ("neutral", NEUTRAL))
            for place, text in enumerate(texts)
        ]
        return write_csv(folder / "feedback.csv", ("text", "label", "language"), rows)


SAMPLE = Feedback()
