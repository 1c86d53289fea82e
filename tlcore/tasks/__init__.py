"""What is learned. A new task is one file here and one line in TASKS."""

from tlcore.registry import by_id, pick
from tlcore.tasks.contract import Task
from tlcore.tasks.image_classification import ImageClassification

TASKS: tuple[Task, ...] = (ImageClassification(),)

_BY_ID = by_id(TASKS)


def find(task_id: str) -> Task:
    """The task with that id. Raises UnusableInput naming those there are."""
    return pick(_BY_ID, task_id, what="task")
