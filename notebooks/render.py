"""Run the tutorial notebooks and write them back with their outputs: the one way in which they are written.

Outputs are committed, so that they can be read without running them; ``pytest --nbval`` compares them at every change.
"""

import os
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
from nbclient import NotebookClient

import flowlens as fl

FOLDER = Path(__file__).parent
UNCOMPARED = "nbval-ignore-output"

# A notebook has to come out the same on every machine; with a backend from outside its kernel would show no figures.
os.environ["TZ"] = "UTC"
os.environ.pop("MPLBACKEND", None)


def executed(path: Path) -> nbformat.NotebookNode:
    """Run a notebook from nothing and return it with its outputs, without what changes from run to run."""
    notebook = nbformat.read(path, as_version=4)
    # Widget state would be kept in the file and can be large; no page needs it.
    here = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, resources=here, store_widget_state=False, timeout=300).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            # Without its state a widget is an error message to who only reads; the picture beside it is not.
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        if UNCOMPARED in cell.metadata.get("tags", ()):
            # What Spark's JVM says as it starts holds times and the name of the machine.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def picture() -> None:
    """Draw the picture of the README: the day of the sample, and its top talkers."""
    mpl.use("Agg")
    df = fl.sample()
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 5), height_ratios=(3, 2), layout="constrained", dpi=80)
    df.flow.plot.timeline(freq="15min", ax=above)
    df.flow.plot.top_talkers(6, ax=below)
    figure.savefig(FOLDER / "day.png")


def main() -> None:
    """Render the notebooks named on the command line, or all and the picture of the README."""
    if not sys.argv[1:]:
        picture()
    chosen = [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb"))
    for path in chosen:
        nbformat.write(executed(path), path)
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
