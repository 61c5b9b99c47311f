"""What two or more notebooks of the course share. Each module owns the things its name says.

data: MNIST, its splits and loaders · models: the CNN and what it is compared with · training: recipes, fit, evaluate,
checkpoints · distributed: one run in several processes · resume: runs that go on after a stop · analysis:
calibration, abstaining, strangers, probes, patches, FGSM · perturb: images shifted, turned, bent · sound: spoken
digits · text: words of twelve languages · widgets: interactive parts · plots: figures · checks: exercise checks ·
claims: the ledger · evidence: stored results of long experiments · bench: the recipes beside the tutorial's script.
"""

from course_utils.data import load_mnist, make_loaders
from course_utils.models import CNN, ModernCNN, count_parameters
from course_utils.training import MODERN, ORIGINAL, evaluate, fit, load_checkpoint, save_checkpoint

__all__ = [
    "CNN",
    "MODERN",
    "ORIGINAL",
    "ModernCNN",
    "count_parameters",
    "evaluate",
    "fit",
    "load_checkpoint",
    "load_mnist",
    "make_loaders",
    "save_checkpoint",
]
