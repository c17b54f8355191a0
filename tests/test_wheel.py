"""What pip installs is what the checkout holds: the sample and the type marker come along."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with flowlens as a wheel installs it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("vpc_flowlens-*.whl")
    target = folder / "site"
    run(*pip, "install", "--no-deps", "--target", str(target), str(wheel))
    return target


def test_the_sample_works_from_an_installed_wheel(installed, tmp_path):
    code = "import flowlens as fl; df = fl.sample(); print(fl.__file__, fl.samples(), len(df))"
    printed = run(
        sys.executable,
        "-c",
        code,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
    )
    assert str(installed) in printed
    assert "('vpc',)" in printed
    assert int(printed.split()[-1]) > 50_000


def test_the_type_marker_is_installed(installed):
    assert (installed / "flowlens" / "py.typed").exists()


def test_tests_and_notebooks_are_not_installed(installed):
    top = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert top <= {"flowlens", "bin"}
