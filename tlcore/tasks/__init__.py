"""What is learned. A new task is one file here and one line in TASKS."""

from tlcore.registry import by_id, pick
from tlcore.sources.source_model import SourceModel
from tlcore.tasks.contract import Task
from tlcore.tasks.image_classification import ImageClassification
from tlcore.tasks.multi_label_text_classification import MultiLabelTextClassification
from tlcore.tasks.question_answering import QuestionAnswering
from tlcore.tasks.sentiment_analysis import SentimentAnalysis
from tlcore.tasks.summarization import Summarization
from tlcore.tasks.text_classification import TextClassification
from tlcore.tasks.text_generation import TextGeneration
from tlcore.tasks.token_classification import TokenClassification
from tlcore.tasks.translation import Translation

TASKS: tuple[Task, ...] = (
    ImageClassification(),
    TextClassification(),
    SentimentAnalysis(),
    MultiLabelTextClassification(),
    TokenClassification(),
    TextGeneration(),
    Translation(),
    Summarization(),
    QuestionAnswering(),
)

_BY_ID = by_id(TASKS)


def served_by(source: SourceModel) -> list[Task]:
    """The tasks that a source model serves: all, where what it reads is not known before it is opened."""
    return [task for task in TASKS if not source.modality or source.modality in task.reads]


def find(task_id: str) -> Task:
    """The task with that id. Raises UnusableInput naming those there are."""
    return pick(_BY_ID, task_id, what="task")
