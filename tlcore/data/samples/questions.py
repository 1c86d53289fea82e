"""Short invented texts with questions, in English and Portuguese, written for this studio."""

from __future__ import annotations

from pathlib import Path

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_csv

# Each text with its questions; an empty answer means that the text gives none.
ENGLISH = (
    (
        "The mill by the river was built in 1874 by the Harrow family. It ground wheat for forty years, until a flood "
        "broke its wheel. Today it is a small museum of bread.",
        ("When was the mill built?", "1874"),
        ("Who built the mill?", "the Harrow family"),
        ("What broke the wheel of the mill?", "a flood"),
        ("How much does the museum cost?", ""),
    ),
    (
        "The blue kettle holds two litres and boils in four minutes. It switches itself off when it is empty. Its "
        "guarantee is three years, and the filter can be washed by hand.",
        ("How much does the kettle hold?", "two litres"),
        ("How long is the guarantee?", "three years"),
        ("How long does the kettle take to boil?", "four minutes"),
        ("Where is the kettle made?", ""),
    ),
    (
        "Lena Ortiz trained as a nurse before she opened her bakery in Larkfield. She employs six people, and her rye "
        "bread won a prize at the county fair.",
        ("What did Lena Ortiz train as?", "a nurse"),
        ("Where is the bakery?", "Larkfield"),
        ("How many people does she employ?", "six"),
        ("What won a prize at the county fair?", "her rye bread"),
    ),
    (
        "Invoices are paid within thirty days. Questions about an invoice go to the accounts office on the second "
        "floor, which is open from nine to noon. Refunds are made by bank transfer.",
        ("Within how many days are invoices paid?", "thirty days"),
        ("Where is the accounts office?", "the second floor"),
        ("How are refunds made?", "by bank transfer"),
        ("Who signs the invoices?", ""),
    ),
    (
        "The night train leaves Port Alder at ten in the evening and reaches Quill at six. It has two sleeping cars "
        "and a kitchen. Bicycles travel free of charge.",
        ("When does the train leave Port Alder?", "ten in the evening"),
        ("When does the train reach Quill?", "six"),
        ("How many sleeping cars are there?", "two"),
        ("What travels free of charge?", "Bicycles"),
    ),
    (
        "The grey seal of Tarn Bay eats mostly herring. Females give birth in November, each to a single pup with "
        "white fur. A pup drinks milk for three weeks.",
        ("What does the grey seal eat?", "mostly herring"),
        ("When do females give birth?", "November"),
        ("How long does a pup drink milk?", "three weeks"),
        ("How heavy is a seal?", ""),
    ),
    (
        "To reset the router, press the red button for ten seconds. The light turns green when it is ready. The "
        "password is printed under the box.",
        ("How long must the red button be pressed?", "ten seconds"),
        ("Where is the password printed?", "under the box"),
        ("What colour is the light when it is ready?", "green"),
        ("How fast is the router?", ""),
    ),
    (
        "The library of Oldwick lends tools as well as books. A drill may be kept for a week, a ladder for two days. "
        "Late tools cost one pound a day.",
        ("How long may a drill be kept?", "a week"),
        ("How long may a ladder be kept?", "two days"),
        ("What do late tools cost?", "one pound a day"),
        ("What does the library lend?", "tools as well as books"),
    ),
    (
        "Mount Serel is 2,140 metres high. A path of stone steps leads to its top, where a hut sells tea in summer. "
        "Snow closes the path from December to March.",
        ("How high is Mount Serel?", "2,140 metres"),
        ("What does the hut sell?", "tea"),
        ("What closes the path?", "Snow"),
        ("Who built the hut?", ""),
    ),
    (
        "The choir meets on Tuesdays in the old school. It was founded by Ivor Penn, a postman. This winter it will "
        "sing songs from Iceland.",
        ("When does the choir meet?", "Tuesdays"),
        ("Who founded the choir?", "Ivor Penn"),
        ("Where does the choir meet?", "in the old school"),
        ("What will the choir sing?", "songs from Iceland"),
    ),
    (
        "This paint is made of chalk and milk. One tin covers twelve square metres. It dries in two hours, and it "
        "should never be stored below five degrees.",
        ("What is the paint made of?", "chalk and milk"),
        ("How much does one tin cover?", "twelve square metres"),
        ("How long does it dry?", "two hours"),
        ("What does a tin cost?", ""),
    ),
    (
        "The lighthouse keeper rowed to the island every Friday with bread, oil and letters. In 1931 the lamp was "
        "changed to electric light, and the keeper moved to the village.",
        ("When did the keeper row to the island?", "every Friday"),
        ("When was the lamp changed?", "1931"),
        ("Where did the keeper move?", "to the village"),
        ("What was the name of the keeper?", ""),
    ),
    (
        "New staff get a badge on their first day. The badge opens the north gate and the canteen. A lost badge must "
        "be reported to security at once.",
        ("When do new staff get a badge?", "on their first day"),
        ("What does the badge open?", "the north gate and the canteen"),
        ("To whom must a lost badge be reported?", "security"),
        ("What colour is the badge?", ""),
    ),
    (
        "The comet was first seen by a farmer in Velden. It returns every seventy years and is brightest in the month "
        "of April. Its tail is made of dust.",
        ("Who saw the comet first?", "a farmer in Velden"),
        ("How often does the comet return?", "every seventy years"),
        ("What is its tail made of?", "dust"),
        ("When is the comet brightest?", "April"),
    ),
    (
        "The soup needs four onions, a litre of stock and a slice of ginger. It simmers for half an hour. Serve it "
        "with toast.",
        ("How many onions does the soup need?", "four"),
        ("How long does the soup simmer?", "half an hour"),
        ("What is the soup served with?", "toast"),
        ("How many people does the soup feed?", ""),
    ),
)
PORTUGUESE = (
    (
        "O moinho da vila foi construído em 1902 pela família Prado. Ele moía milho até que um incêndio destruiu o "
        "telhado. Hoje funciona ali uma escola de música.",
        ("Quando foi construído o moinho?", "1902"),
        ("Quem construiu o moinho?", "família Prado"),
        ("O que destruiu o telhado?", "um incêndio"),
        ("Quantos alunos tem a escola?", ""),
    ),
    (
        "A chaleira azul comporta dois litros e ferve em quatro minutos. Ela desliga sozinha quando está vazia. A "
        "garantia é de três anos.",
        ("Quanto comporta a chaleira?", "dois litros"),
        ("De quanto tempo é a garantia?", "três anos"),
        ("Em quanto tempo a chaleira ferve?", "quatro minutos"),
        ("Onde a chaleira é fabricada?", ""),
    ),
    (
        "Marta Lins era enfermeira antes de abrir uma padaria em Serra Clara. Ela emprega seis pessoas, e o seu pão "
        "de centeio ganhou um prêmio na feira.",
        ("O que Marta Lins era antes?", "enfermeira"),
        ("Onde fica a padaria?", "Serra Clara"),
        ("Quantas pessoas ela emprega?", "seis"),
        ("O que ganhou um prêmio?", "pão de centeio"),
    ),
    (
        "As faturas são pagas em trinta dias. Dúvidas sobre faturas são tratadas no segundo andar, das nove ao meio- "
        "dia. A devolução do dinheiro é feita por transferência.",
        ("Em quantos dias são pagas as faturas?", "trinta dias"),
        ("Onde são tratadas as dúvidas?", "no segundo andar"),
        ("Como é feita a devolução?", "por transferência"),
        ("Quem assina as faturas?", ""),
    ),
    (
        "O trem noturno sai de Porto Belo às dez da noite e chega a Quilombo às seis. Ele tem dois vagões com camas e "
        "uma cozinha. Bicicletas viajam de graça.",
        ("Quando o trem sai de Porto Belo?", "às dez da noite"),
        ("Quantos vagões com camas ele tem?", "dois"),
        ("O que viaja de graça?", "Bicicletas"),
        ("Quanto custa a passagem?", ""),
    ),
    (
        "A tartaruga da baía come sobretudo algas. As fêmeas põem os ovos em dezembro, na areia. Os filhotes nascem "
        "depois de sessenta dias.",
        ("O que come a tartaruga?", "algas"),
        ("Quando as fêmeas põem os ovos?", "dezembro"),
        ("Depois de quantos dias nascem os filhotes?", "sessenta dias"),
        ("Quanto pesa uma tartaruga?", ""),
    ),
    (
        "Para reiniciar o roteador, aperte o botão vermelho por dez segundos. A luz fica verde quando ele está "
        "pronto. A senha está escrita debaixo da caixa.",
        ("Por quanto tempo se aperta o botão?", "dez segundos"),
        ("Onde está escrita a senha?", "debaixo da caixa"),
        ("De que cor fica a luz?", "verde"),
        ("Quanto custa o roteador?", ""),
    ),
    (
        "A biblioteca de Vila Velha empresta ferramentas e livros. Uma furadeira pode ficar com o leitor por uma "
        "semana, uma escada por dois dias. O atraso custa um real por dia.",
        ("O que a biblioteca empresta?", "ferramentas e livros"),
        ("Por quanto tempo fica uma furadeira?", "uma semana"),
        ("Quanto custa o atraso?", "um real por dia"),
        ("Por quanto tempo fica uma escada?", "dois dias"),
    ),
    (
        "O pico do Gavião tem 2.140 metros. Uma trilha de pedra leva ao topo, onde uma cabana vende chá no verão. A "
        "chuva fecha a trilha em janeiro.",
        ("Quantos metros tem o pico do Gavião?", "2.140 metros"),
        ("O que a cabana vende?", "chá"),
        ("O que fecha a trilha?", "chuva"),
        ("Quem construiu a cabana?", ""),
    ),
    (
        "O coral se reúne às terças na antiga escola. Foi fundado por Ivo Pena, um carteiro. Neste inverno vai cantar "
        "canções do sertão.",
        ("Quando o coral se reúne?", "às terças"),
        ("Quem fundou o coral?", "Ivo Pena"),
        ("Onde o coral se reúne?", "na antiga escola"),
        ("O que o coral vai cantar?", "canções do sertão"),
    ),
    (
        "Esta tinta é feita de cal e leite. Uma lata cobre doze metros quadrados. Ela seca em duas horas e não deve "
        "ser guardada no frio.",
        ("De que é feita a tinta?", "cal e leite"),
        ("Quanto cobre uma lata?", "doze metros quadrados"),
        ("Em quanto tempo a tinta seca?", "duas horas"),
        ("Quanto custa uma lata?", ""),
    ),
    (
        "O faroleiro remava até a ilha toda sexta-feira com pão, óleo e cartas. Em 1931 a lâmpada passou a ser "
        "elétrica, e o faroleiro se mudou para a vila.",
        ("Quando o faroleiro remava até a ilha?", "toda sexta-feira"),
        ("Quando a lâmpada passou a ser elétrica?", "1931"),
        ("Para onde o faroleiro se mudou?", "a vila"),
        ("Como se chamava o faroleiro?", ""),
    ),
    (
        "Quem começa a trabalhar recebe um crachá no primeiro dia. O crachá abre o portão norte e o refeitório. A "
        "perda deve ser avisada à segurança.",
        ("Quando se recebe o crachá?", "no primeiro dia"),
        ("O que o crachá abre?", "o portão norte e o refeitório"),
        ("A quem deve ser avisada a perda?", "segurança"),
        ("De que cor é o crachá?", ""),
    ),
    (
        "O cometa foi visto primeiro por um lavrador de Veredas. Ele volta a cada setenta anos e brilha mais em "
        "abril. A sua cauda é feita de poeira.",
        ("Quem viu o cometa primeiro?", "um lavrador de Veredas"),
        ("De quanto em quanto tempo o cometa volta?", "a cada setenta anos"),
        ("De que é feita a cauda?", "poeira"),
        ("Quando o cometa brilha mais?", "abril"),
    ),
    (
        "A sopa leva quatro cebolas, um litro de caldo e uma fatia de gengibre. Ela cozinha por meia hora. Sirva com "
        "torradas.",
        ("Quantas cebolas leva a sopa?", "quatro"),
        ("Por quanto tempo a sopa cozinha?", "meia hora"),
        ("Com que se serve a sopa?", "torradas"),
        ("Para quantas pessoas é a sopa?", ""),
    ),
)


class Questions:
    id = "questions"
    title = sentence("Questions in two languages")
    what = sentence(
        "120 questions on 30 short texts, half of them English, half Portuguese; some have no answer in their text. "
        "All of it was written for this studio and nothing is real."
    )
    task = "question-answering"
    spec = {"source": "bundled/minilm-l6", "strategy": "fine-tuning", "budget": {"epochs": 10}}  # noqa: RUF012

    def write(self, folder: Path) -> Path:
        """Write a CSV with the columns context, question, answer and language."""
        rows = [
            (text, question, answer, language)
            for language, texts in (("en", ENGLISH), ("pt", PORTUGUESE))
            for text, *asked in texts
            for question, answer in asked
        ]
        return write_csv(folder / "questions.csv", ("context", "question", "answer", "language"), rows)


SAMPLE = Questions()
