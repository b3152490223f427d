"""The error that ends a task: a category of the failure table, and a sentence for the user."""

from __future__ import annotations

from frameloom.common.documents.task import FailureCategory


class TaskError(Exception):
    """A task can not go on.

    Raised inside the child process of a slot and sent to the parent as it is, so it must survive
    pickling: everything it holds is in ``args``.

    Attributes:
        category: Which row of the retry table it falls under.
        message: One or two sentences that a user understands; no paths of the worker in it.
    """

    def __init__(self, category: str, message: str) -> None:
        """Keeps both in ``args``.

        Args:
            category: A value of :class:`FailureCategory`.
            message: What to tell the user.

        Raises:
            ValueError: The category is none of the table's.
        """
        self.category = FailureCategory(category)
        self.message = message
        super().__init__(str(self.category), message)

    def __str__(self) -> str:
        return self.message
