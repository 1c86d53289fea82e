"""What is learned: one package a task, each a Task (contract.py), and what they have in common (shared/).

A task has data checks, a model, a loss, scores and baselines. It never chooses a strategy and never writes a report.
"""

from tlcore.core.registry import by_id, pick
from tlcore.models.source_model import SourceModel
from tlcore.tasks.contract import Task
from tlcore.tasks.image_classification.task import ImageClassification
from tlcore.tasks.multi_label_text_classification.task import MultiLabelTextClassification
from tlcore.tasks.question_answering.task import QuestionAnswering
from tlcore.tasks.sentiment_analysis.task import SentimentAnalysis
from tlcore.tasks.summarization.task import Summarization
from tlcore.tasks.text_classification.task import TextClassification
from tlcore.tasks.text_generation.task import TextGeneration
from tlcore.tasks.token_classification.task import TokenClassification
from tlcore.tasks.translation.task import Translation

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
    """The tasks that accept a source model; all of them where its modality is not known before it is opened."""
    return [task for task in TASKS if not source.modality or source.modality in task.source_families]


def find(task_id: str) -> Task:
    """The task with that id. Raises UnusableInput, which lists the known ids."""
    return pick(_BY_ID, task_id, what="task")
