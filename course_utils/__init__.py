"""What two or more notebooks of the course share. Each module owns the things its name says.

data: MNIST, its splits and batches · models: the CNN and what it is compared with · recipes: how to train · training:
fit, evaluate · checkpoints: networks and runs on disk · distributed: one run in several processes · analysis:
calibration, abstaining, out-of-distribution images, probes, patches, FGSM · perturb: images shifted, turned, bent ·
validate: guards · sound: spoken digits · text: words of twelve languages · widgets: interactive parts · plots: figures
· checks: exercise checks · claims: verdicts on the tutorial's claims · copies: the notebooks that a learner works in ·
ledger: the learner's own · records: what is kept of it · evidence: stored results of long experiments · files, outputs,
streams: what a command writes · threads: how many to compute with.
"""

from course_utils.checkpoints import load_checkpoint, save_checkpoint
from course_utils.data import in_batches, load_fashion_mnist, load_mnist
from course_utils.models import CNN, ModernCNN, count_parameters
from course_utils.recipes import MODERN, ORIGINAL
from course_utils.training import evaluate, fit

__all__ = [
    "CNN",
    "MODERN",
    "ORIGINAL",
    "ModernCNN",
    "count_parameters",
    "evaluate",
    "fit",
    "in_batches",
    "load_checkpoint",
    "load_fashion_mnist",
    "load_mnist",
    "save_checkpoint",
]
