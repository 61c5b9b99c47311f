"""Right and wrong answers to every check, one module a notebook, and the tables of all."""

from tests.checks.cases import (
    analysis,
    beyond_images,
    building,
    convolution,
    pooling,
    scaling,
    sharing,
    start,
    training,
    travel,
)

NOTEBOOKS = (start, convolution, sharing, pooling, building, training, analysis, beyond_images, travel, scaling)
RIGHT = {check: answers for notebook in NOTEBOOKS for check, answers in notebook.RIGHT.items()}
WRONG = {check: answers for notebook in NOTEBOOKS for check, answers in notebook.WRONG.items()}
