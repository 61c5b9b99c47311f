"""Exercise checks. Each takes the learner's answer and prints one of three things.

`not tried yet` for an untouched stub, `not right yet: …` with a hint, or `correct`.
"""

from course_utils.checks.analysis import auroc, calibration_error, most_confused
from course_utils.checks.beyond_images import conv1d, first_block, trigram_responses
from course_utils.checks.building import conv_parameters, flat_features, mended_network
from course_utils.checks.convolution import conv2d, conv2d_stride_padding, shift_kernel, strided_size
from course_utils.checks.pooling import average_weights, larger_of_two, max_pool, parameters_without_pooling
from course_utils.checks.scaling import gradient_bytes, speedup, whole_gradient
from course_utils.checks.sharing import conv_matrix, layer_parameters, predicted_accuracy
from course_utils.checks.start import average_image, sevens
from course_utils.checks.training import accuracy, best_epoch, training_step

__all__ = [
    "accuracy",
    "auroc",
    "average_image",
    "average_weights",
    "best_epoch",
    "calibration_error",
    "conv1d",
    "conv2d",
    "conv2d_stride_padding",
    "conv_matrix",
    "conv_parameters",
    "first_block",
    "flat_features",
    "gradient_bytes",
    "larger_of_two",
    "layer_parameters",
    "max_pool",
    "mended_network",
    "most_confused",
    "parameters_without_pooling",
    "predicted_accuracy",
    "sevens",
    "shift_kernel",
    "speedup",
    "strided_size",
    "training_step",
    "trigram_responses",
    "whole_gradient",
]
