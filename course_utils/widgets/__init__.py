"""The interactive parts of the notebooks: each is a class here and a script of the same name in static/."""

from course_utils.widgets.blind_labels import BlindLabels
from course_utils.widgets.draw_digit import DrawDigit
from course_utils.widgets.kernel_playground import KernelPlayground
from course_utils.widgets.photo_reader import PhotoReader
from course_utils.widgets.shift_explorer import ShiftExplorer
from course_utils.widgets.weight_sharing import WeightSharing

__all__ = ["BlindLabels", "DrawDigit", "KernelPlayground", "PhotoReader", "ShiftExplorer", "WeightSharing"]
