"""What a user has set for all their work, matplotlib, language, streams, line ends, changes nothing in the course."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
TEXTS = (".py", ".json", ".css", ".js", ".mplstyle", ".toml", ".tsv")

# Reads each kind of file that the course ships, draws, and prints what came of it.
LOOK = """
import hashlib, io
from course_utils import claims, evidence, load_mnist, plots, sound, text, widgets

def short(content):
    return hashlib.sha256(content).hexdigest()[:12]

mnist = load_mnist()
print(mnist.validation.labels[:20].tolist(), text.load_names().train.spelled[::500])
print(evidence.how_made(evidence.load("recipes")), len(sound.load_spoken_digits().test))
for part in (widgets.KernelPlayground, widgets.ShiftExplorer, widgets.DrawDigit, widgets.BlindLabels):
    print(part.__name__, short(part._esm.encode()), short(part._css.encode()))
plots.use_style()
figure = plots.image_grid(mnist.test.images[:3, 0], titles=["12.5 %", "a_b $x$", "\\u0141\\xf3d\\u017a \\xb1 1 \\xb5m"])
figure.axes[0].plot([0.5, 1234.5])
picture = io.BytesIO()
figure.savefig(picture, format="png", metadata={"Software": None})
print(short(picture.getvalue()))
claims.verdict("C1", "holds", "figures")
"""
MATPLOTLIBRC = """
backend: tkagg
text.usetex: True
font.family: monospace
font.size: 20
figure.dpi: 37
savefig.bbox: tight
image.cmap: jet
axes.formatter.use_locale: True
axes.prop_cycle: cycler("color", ["ff0000"])
"""
HOSTILE = {
    "LC_ALL": "C",  # and Python is kept from reading this as UTF-8:
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",
    "PYTHONIOENCODING": "latin-1:backslashreplace",
    "PYTHONHASHSEED": "7",
    "TZ": "Pacific/Kiritimati",
    "NO_COLOR": "1",
    "COLUMNS": "20",
}


@pytest.fixture
def windows_checkout(tmp_path):
    """What learners use, with the line ends that git gives it on Windows."""
    for name in ("course_utils", "data", "experiments/results"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*-ubyte", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in tmp_path.rglob("*"):
        if path.suffix in TEXTS:
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return tmp_path


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC, encoding="utf-8")
    return {**HOSTILE, "MATPLOTLIBRC": str(tmp_path)}


def looked(checkout: Path, environment: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), **environment},
        capture_output=True,
    )
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")
    return ran.stdout.decode("latin-1" if environment else "utf-8")


def test_settings_and_line_ends_change_nothing(windows_checkout, settings):
    assert (
        looked(windows_checkout, settings).split()
        == looked(ROOT, {"PYTHONIOENCODING": "latin-1:backslashreplace"}).split()
    )


def test_a_figure_is_a_png_of_one_size_whatever_ipython_is_told(tmp_path, settings, monkeypatch):
    profile = tmp_path / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(
        'c.InlineBackend.figure_formats = {"svg"}\nc.InlineBackend.rc = {"figure.dpi": 300, "font.size": 30}\n'
        'c.InlineBackend.print_figure_kwargs = {"bbox_inches": None, "facecolor": "red"}\n',
        encoding="utf-8",
    )
    source = """
import matplotlib.pyplot as plt
from course_utils import plots
plots.use_style()
figure, axes = plt.subplots()
plots.show(figure, "empty axes")
"""

    def shown() -> dict:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        NotebookClient(notebook, timeout=120).execute()
        (output,) = notebook.cells[0].outputs
        return output["data"]

    plain = shown()
    for name, value in {**settings, "IPYTHONDIR": str(tmp_path), "MPLBACKEND": "agg"}.items():
        monkeypatch.setenv(name, value)
    assert shown() == plain and "image/png" in plain
