"""Command line: python -m course_utils train | evaluate | read | lab | copies | fresh."""

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from course_utils import copies, distributed, evidence
from course_utils.checkpoints import CheckpointError, load_checkpoint, save_checkpoint
from course_utils.data import DataError, Splits, load_mnist
from course_utils.distributed import ProcessCountError, ProcessesDiffer, ProcessLost
from course_utils.files import write_whole
from course_utils.models import count_parameters
from course_utils.outputs import BadOutput, Outputs
from course_utils.recipes import EXPERIMENTS, Experiment
from course_utils.streams import unfailing_output
from course_utils.training import History, TrainingDiverged, choose_device, evaluate, fit, has_bfloat16

BAD_INPUT = (BadOutput, DataError, CheckpointError, ProcessCountError, ProcessesDiffer, copies.CopiesError)
BAD_USE, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is what a shell reports for Ctrl-C


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, where argparse would print its whole usage first."""

    def error(self, message: str):
        self.exit(BAD_USE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    with unfailing_output() as out:
        code = _main(arguments)
        out.flush()
        if out.lost:
            code = code or _stop(f"error: the output could not be written: {out.lost}", FAILED)
    return code


def _main(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    options.outputs = Outputs({})
    try:
        return options.command(options)
    except BAD_INPUT as error:
        return _stop(f"error: {error}", BAD_USE)
    except OSError as error:  # a file that is not there or may not be read
        return _stop(f"error: {_reason(error)}", BAD_USE)
    except TrainingDiverged as error:
        return _stop(f"error: {error}", FAILED)
    except ProcessLost as error:
        # Said by every process that is left, since number 0 may be the one that died.
        print(f"course_utils: error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return _stop(f"interrupted; {_on_disk(options)}", INTERRUPTED)


def _stop(said: str, code: int) -> int:
    """Say in one line, once on each machine, why the command ends, and return its exit code."""
    if distributed.rank_here() == 0:
        print(f"course_utils: {' '.join(said.split())}", file=sys.stderr)
    return code


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m course_utils",
        description="Open the notebooks; train and evaluate the course's networks; read handwriting with them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_train, _add_evaluate, _add_read, _add_notebooks):
        add(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser(
        "train",
        help="train a network by a recipe and report its test accuracy",
        description="Train a network by a recipe, print the log, and report its accuracy on the test set.",
        epilog="Example: python -m course_utils train --recipe original --seed 1 --json out.json --save cnn.pt. "
        "In two processes: torchrun --standalone --nproc-per-node 2 -m course_utils train --recipe modern",
    )
    train.add_argument("--recipe", choices=EXPERIMENTS, default="original", help="how to train (default: %(default)s)")
    train.add_argument("--epochs", type=_positive, help="passes over the training images (default: the recipe's)")
    train.add_argument("--seed", type=_seed, default=1, help="fixes weights, batches and shifts (default: %(default)s)")
    train.add_argument("--json", type=Path, metavar="FILE", help="write the result and the history here")
    train.add_argument("--save", type=Path, metavar="FILE", help="write the trained weights here")
    train.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="write a checkpoint here with each line of the log, and go on from the one that is here; not with quick, "
        "which logs nothing",
    )
    _add_common(train)
    train.set_defaults(command=_train)


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    test = commands.add_parser("evaluate", help="accuracy of a saved network on the test set")
    test.add_argument("checkpoint", help="a file that `train --save` wrote")
    _add_common(test)
    test.set_defaults(command=_evaluate)


def _add_read(commands: argparse._SubParsersAction) -> None:
    read = commands.add_parser(
        "read",
        help="read the digits on a photo of your own handwriting",
        description="Read the digits on a picture of paper, line by line, and say how sure the network is of each.",
        epilog="Example: python -m course_utils read photo.jpg --json out.json",
    )
    read.add_argument("picture", help="a photo or a screenshot: JPEG, PNG, …; dark ink on light paper or light on dark")
    read.add_argument("--json", type=Path, metavar="FILE", help="write digits, confidence and boxes here")
    read.add_argument("--checkpoint", metavar="FILE", help="a file that `train --save` wrote (default: the stored one)")
    read.add_argument("--device", type=_device, help="cpu, cuda or mps (default: the best there is)")
    read.set_defaults(command=_read)


def _add_notebooks(commands: argparse._SubParsersAction) -> None:
    """The three that give a learner notebooks: lab, copies, fresh."""
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on your own copies of the notebooks",
        description="Open JupyterLab on your own copies of the notebooks, which the first call makes.",
        epilog="What follows -- goes to JupyterLab: python -m course_utils lab -- --no-browser",
    )
    lab.add_argument("options", nargs="*", metavar="-- OPTIONS", help="for JupyterLab")
    lab.set_defaults(command=_lab)

    copy = commands.add_parser("copies", help="make your copies of the notebooks, and print where they are")
    copy.set_defaults(command=_copies)

    fresh = commands.add_parser(
        "fresh",
        help="give notebooks back as they were; your versions stay beside them",
        description="Give notebooks back as they were. Your versions stay beside them, with the date in their names.",
    )
    fresh.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="its number, or its name")
    fresh.set_defaults(command=_fresh)


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


def _outputs(options: argparse.Namespace, experiment: Experiment) -> Outputs:
    """Looked at before the training, not after it; in several processes, the first one writes."""
    if options.resume and experiment.look_every is None:
        raise BadOutput(f"--resume writes a checkpoint with each line of the log, and {options.recipe} logs nothing")
    named = {"--json": options.json, "--save": options.save, "--resume": options.resume}
    here = distributed.rank() == 0
    return Outputs({option: path for option, path in named.items() if here and path is not None})


def _train(options: argparse.Namespace) -> int:
    experiment = EXPERIMENTS[options.recipe]
    recipe = replace(experiment.recipe, epochs=options.epochs or experiment.recipe.epochs)
    experiment = replace(experiment, recipe=recipe)
    options.outputs = _outputs(options, experiment)
    mnist = load_mnist(options.data)
    torch.manual_seed(options.seed)
    model = experiment.model()
    with distributed.process_group(choose_device(options.device)) as device:
        history = fit(
            model,
            experiment.train_set(mnist),
            recipe,
            **experiment.options(mnist),
            seed=options.seed,
            device=device,
            log=tqdm.write if distributed.rank() == 0 else None,  # prints above the progress bar
            resume=options.resume,
        )
        machine = {
            "device": str(device),
            "bfloat16": experiment.mixed_precision and has_bfloat16(device),
            "threads": torch.get_num_threads(),
            "processes": distributed.processes(),
        }
    if distributed.rank() > 0:
        return 0
    return _finish(options, experiment, model, mnist, history, machine)


def _finish(
    options: argparse.Namespace,
    experiment: Experiment,
    model: nn.Module,
    mnist: Splits,
    history: History,
    machine: dict,
) -> int:
    """Write what was asked for and report; the weights first, since the test takes a while and may be cut short."""
    outputs = options.outputs
    if options.save:
        outputs.write(options.save, lambda: save_checkpoint(model, options.save))
    try:
        accuracy = _test_accuracy(model, mnist)
    except KeyboardInterrupt:
        accuracy, history.interrupted = {}, True
    result = {
        **dict.fromkeys(ACCURACIES),
        **accuracy,
        "parameters": count_parameters(model),
        "seconds": history.total_seconds,
        "recipe": options.recipe,
        "epochs": experiment.recipe.epochs,
        "seed": options.seed,
        **machine,
        "torch": torch.__version__,
        "experiment": experiment.settings(),
        "history": asdict(history),
    }
    if options.json:
        outputs.write(options.json, lambda: write_whole(options.json, json.dumps(result, indent=1) + "\n"))
    _print_accuracy(accuracy)
    failed = [*outputs.failed, *([history.unsaved] if history.unsaved else [])]
    if failed:
        _stop(f"error: {'; '.join(failed)}; {_on_disk(options)}", FAILED)
    if history.interrupted:
        return _stop(f"interrupted after {len(history.step_loss)} steps; {_on_disk(options)}", INTERRUPTED)
    return FAILED if failed else 0


def _on_disk(options: argparse.Namespace) -> str:
    """What the command has left."""
    written = f"written: {', '.join(options.outputs.written)}" if options.outputs.written else "nothing was written"
    resume = getattr(options, "resume", None)
    kept = f"; with {resume}, the same command goes on from the last checkpoint"
    return written + (kept if resume and os.path.exists(resume) else "")


def _evaluate(options: argparse.Namespace) -> int:
    model = load_checkpoint(options.checkpoint).to(choose_device(options.device))
    _print_accuracy(_test_accuracy(model, load_mnist(options.data)))
    return 0


def _read(options: argparse.Namespace) -> int:
    from course_utils import photo  # here: it brings matplotlib and scikit-learn, for which no other command need wait

    read = filter(None, (options.picture, options.checkpoint))
    outputs = options.outputs = Outputs({"--json": options.json} if options.json else {}, read)
    try:
        page = photo.find_digits(options.picture)
    except photo.BadPhoto as error:
        return _stop(f"error: {error}", BAD_USE)
    temperature, threshold = photo.stored_reader()
    if options.checkpoint:
        temperature = 1.0  # the stored one is the stored network's
    checkpoint = options.checkpoint or evidence.folder() / photo.CHECKPOINT
    network = load_checkpoint(checkpoint).to(choose_device(options.device))
    reading = photo.read(network, page.images, temperature, threshold)
    if options.json:
        result = {
            "digits": reading.digits.tolist(),
            "confidence": reading.confidence.tolist(),
            "sure": reading.sure.tolist(),
            "boxes": page.boxes,
            "line": page.line,
            "remarks": page.remarks,
            "picture": options.picture,
            "checkpoint": str(options.checkpoint or photo.CHECKPOINT),
            "temperature": temperature,
            "threshold": threshold,
        }
        outputs.write(options.json, lambda: write_whole(options.json, json.dumps(result, indent=1) + "\n"))
    print(photo.in_words(page, reading))
    if outputs.failed:
        return _stop(f"error: {'; '.join(outputs.failed)}; {_on_disk(options)}", FAILED)
    return 0


def _copies(options: argparse.Namespace) -> int:
    place = copies.folder()
    for line in copies.update(place):
        print(line, file=sys.stderr)
    print(place)
    return 0


def _lab(options: argparse.Namespace) -> int:
    place = copies.folder()
    for line in copies.update(place):
        print(line)
    print(f"Opening JupyterLab on your notebooks in {place} (stop it with Ctrl-C)", flush=True)
    command, environment = copies.lab_command(place, *options.options), copies.lab_environment()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is JupyterLab's, which asks
        return subprocess.call(command, env=environment)
    os.execve(command[0], command, environment)  # in place of this process, which holds PyTorch's 300 MB


def _fresh(options: argparse.Namespace) -> int:
    for which in options.notebooks:
        print(copies.give_back(which))
    return 0


ACCURACIES = {  # names in the JSON file, and what is printed
    "test_accuracy": "Accuracy on all 10,000 test images",
    "test_accuracy_first_2000": "Accuracy on the first 2,000 of them",
}


def _test_accuracy(model: nn.Module, mnist: Splits) -> dict[str, float]:
    sets = (mnist.test, mnist.test_first_2000)
    return {name: evaluate(model, images) for name, images in zip(ACCURACIES, sets, strict=True)}


def _print_accuracy(accuracy: dict[str, float]) -> None:
    for name, value in accuracy.items():
        print(f"{ACCURACIES[name]}: {value:.4f}")


if __name__ == "__main__":
    sys.exit(main())
