"""Exercise checks. Each takes the learner's answer and says one of four things.

`not tried yet` for an untouched stub, `not right yet: …` with a hint, `correct`, or `noted` where no answer is wrong.
From the cell of a folded solution it says `the solution: correct`, and that counts for nothing.
"""

from course_utils.checks.analysis import auroc, calibration_error, most_confused, next_action, rule
from course_utils.checks.beyond_images import conv1d, first_block, trigram_responses
from course_utils.checks.building import (
    conv_parameters,
    flat_features,
    mended_network,
    paired_difference,
    receptive_field,
)
from course_utils.checks.convolution import (
    catches_mistakes,
    conv2d,
    conv2d_channels,
    conv2d_stride_padding,
    shift_kernel,
    strided_size,
)
from course_utils.checks.pooling import (
    average_weights,
    judge,
    larger_of_two,
    max_pool,
    parameters_without_pooling,
    unchanged_share,
)
from course_utils.checks.scaling import control_of_two, ring_bytes, speedup, whole_gradient
from course_utils.checks.sharing import confounds, conv_matrix, equivariance_gap, layer_parameters, predicted_accuracy
from course_utils.checks.start import average_image, floor, sevens
from course_utils.checks.training import accuracy, chain_gradients, choose_on_validation, training_step
from course_utils.checks.travel import registered, rule_that_can_fail

__all__ = [
    "accuracy",
    "auroc",
    "average_image",
    "average_weights",
    "calibration_error",
    "catches_mistakes",
    "chain_gradients",
    "choose_on_validation",
    "confounds",
    "control_of_two",
    "conv1d",
    "conv2d",
    "conv2d_channels",
    "conv2d_stride_padding",
    "conv_matrix",
    "conv_parameters",
    "equivariance_gap",
    "first_block",
    "flat_features",
    "floor",
    "judge",
    "larger_of_two",
    "layer_parameters",
    "max_pool",
    "mended_network",
    "most_confused",
    "next_action",
    "paired_difference",
    "parameters_without_pooling",
    "predicted_accuracy",
    "receptive_field",
    "registered",
    "ring_bytes",
    "rule",
    "rule_that_can_fail",
    "sevens",
    "shift_kernel",
    "speedup",
    "strided_size",
    "training_step",
    "trigram_responses",
    "unchanged_share",
    "whole_gradient",
]
