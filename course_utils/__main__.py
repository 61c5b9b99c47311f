"""Command line: python -m course_utils train | evaluate."""

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
from tqdm import tqdm

from course_utils import distributed
from course_utils.checkpoints import CheckpointError, load_checkpoint, save_checkpoint
from course_utils.data import DataError, Mnist, load_mnist
from course_utils.distributed import ProcessCountError, ProcessLost
from course_utils.files import write_whole
from course_utils.models import count_parameters
from course_utils.recipes import EXPERIMENTS
from course_utils.training import TrainingDiverged, choose_device, evaluate, fit

BAD_USE, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is what a shell reports for Ctrl-C


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, where argparse would print its whole usage first."""

    def error(self, message: str):
        self.exit(BAD_USE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (DataError, CheckpointError, ProcessCountError, FileNotFoundError, PermissionError) as error:
        return _stop(f"error: {error}", BAD_USE)
    except TrainingDiverged as error:
        return _stop(f"error: {error}", FAILED)
    except ProcessLost as error:
        # Said by every process that is left, since number 0 may be the one that died.
        print(f"course_utils: error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return _stop("interrupted, nothing was written", INTERRUPTED)


def _stop(said: str, code: int) -> int:
    """Say in one line, once for all processes, why the command ends, and return its exit code."""
    if distributed.rank() == 0:
        print(f"course_utils: {' '.join(said.split())}", file=sys.stderr)
    return code


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="python -m course_utils", description="Train and evaluate the course's networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a network by a recipe and report its test accuracy",
        description="Train a network by a recipe, print the log, and report its accuracy on the test set.",
        epilog="Example: python -m course_utils train --recipe original --seed 1 --json out.json --save cnn.pt. "
        "In two processes: torchrun --nproc-per-node 2 -m course_utils train --recipe modern",
    )
    train.add_argument("--recipe", choices=EXPERIMENTS, default="original", help="how to train (default: %(default)s)")
    train.add_argument("--epochs", type=_positive, help="passes over the training images (default: the recipe's)")
    train.add_argument("--seed", type=_seed, default=1, help="fixes weights, batches and shifts (default: %(default)s)")
    train.add_argument("--json", type=_output_file, metavar="FILE", help="write the result and the history here")
    train.add_argument("--save", type=_output_file, metavar="FILE", help="write the trained weights here")
    train.add_argument(
        "--resume",
        type=_output_file,
        metavar="FILE",
        help="write a checkpoint here with each line of the log, and go on from the one that is here; not with quick, "
        "which logs nothing",
    )
    _add_common(train)
    train.set_defaults(command=_train)

    test = commands.add_parser("evaluate", help="accuracy of a saved network on the test set")
    test.add_argument("checkpoint", help="a file that `train --save` wrote")
    _add_common(test)
    test.set_defaults(command=_evaluate)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", type=_device, help="cpu, cuda or mps (default: the best there is)")
    command.add_argument("--data", metavar="FOLDER", help="holds MNIST/raw (default: the course's data folder)")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**63 - 1")
    return int(text)


def _device(text: str) -> torch.device:
    try:
        return choose_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _output_file(text: str) -> Path:
    """Checked before the training, not after it."""
    path = Path(text)
    if path.exists() and not path.is_file():  # writing would put a file in the place of a device
        raise argparse.ArgumentTypeError(f"{text!r} is a {'folder' if path.is_dir() else 'device'}; name a file")
    if not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"the folder of {text!r} does not exist or is not writable")
    return path


def _train(options: argparse.Namespace) -> int:
    experiment = EXPERIMENTS[options.recipe]
    recipe = replace(experiment.recipe, epochs=options.epochs or experiment.recipe.epochs)
    mnist = load_mnist(options.data)
    torch.manual_seed(options.seed)
    model = experiment.model()
    log = tqdm.write if distributed.rank() == 0 else None  # prints above the progress bar
    with distributed.process_group(choose_device(options.device)) as device:
        history = fit(
            model,
            experiment.train_set(mnist),
            recipe,
            watch=experiment.watched(mnist),
            look_every=experiment.look_every,
            seed=options.seed,
            device=device,
            log=log,
            resume=options.resume,
        )
    if distributed.rank() > 0:
        return 0
    result = {
        **_test_accuracy(model, mnist),
        "parameters": count_parameters(model),
        "seconds": history.total_seconds,
        "threads": torch.get_num_threads(),
        "recipe": recipe.name,
        "epochs": recipe.epochs,
        "seed": options.seed,
        "history": asdict(history),
    }
    if options.save:
        save_checkpoint(model, options.save)
    if options.json:
        write_whole(options.json, json.dumps(result, indent=1) + "\n")
    return INTERRUPTED if history.interrupted else 0


def _evaluate(options: argparse.Namespace) -> int:
    model = load_checkpoint(options.checkpoint).to(choose_device(options.device))
    _test_accuracy(model, load_mnist(options.data))
    return 0


def _test_accuracy(model: torch.nn.Module, mnist: Mnist) -> dict[str, float]:
    """Measured, printed, and returned under the names of the JSON file."""
    accuracy = {
        "test_accuracy": evaluate(model, mnist.test),
        "test_accuracy_first_2000": evaluate(model, mnist.test_first_2000),
    }
    print(f"Accuracy on all 10,000 test images: {accuracy['test_accuracy']:.4f}")
    print(f"Accuracy on the first 2,000 of them: {accuracy['test_accuracy_first_2000']:.4f}")
    return accuracy


if __name__ == "__main__":
    sys.exit(main())
