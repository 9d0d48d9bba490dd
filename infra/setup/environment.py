"""Make a virtual environment: `python3 environment.py DIR [--sees OTHER]`; one that works is left as it is.

`--sees` puts the packages of another environment on the path of this one. Debian's Python comes without `ensurepip`
unless `python3-venv` is installed; then pip is fetched from the package index, so that Python alone is enough.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import Request, urlopen

OLDEST = (3, 11)
INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
ASK = {"Accept": "application/vnd.pypi.simple.v1+json"}


def check_python() -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"Caseline needs Python 3.11 or newer and this is {sys.version.split()[0]}. Install one, then say which: make PYTHON=python3.12 ...")


def works(target: Path) -> bool:
    python = target / "bin" / "python"
    return python.exists() and subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def make(target: Path) -> None:
    has_pip = importlib.util.find_spec("ensurepip") is not None
    venv.EnvBuilder(with_pip=has_pip, clear=True, symlinks=True).create(target)
    if not has_pip:
        fetch_pip(target / "bin" / "python")


def fetch_pip(python: Path) -> None:
    try:
        with urlopen(Request(f"{INDEX}/pip/", headers=ASK), timeout=30) as answer:
            newest = newest_wheel(json.load(answer)["files"])
        with urlopen(urljoin(f"{INDEX}/pip/", newest["url"]), timeout=60) as answer:
            wheel = answer.read()
    except (OSError, ValueError, LookupError) as error:
        sys.exit(f"This Python has no ensurepip, and pip could not be fetched ({error}). Install it: apt install python3-venv")
    if hashlib.sha256(wheel).hexdigest() != newest["hashes"]["sha256"]:
        sys.exit("The pip that was fetched is not the one the index promised. Try again, or: apt install python3-venv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / newest["filename"]
        path.write_bytes(wheel)
        subprocess.run([python, path / "pip", "install", "--quiet", "--no-index", path], check=True)


def newest_wheel(files: list[dict]) -> dict:
    """The newest final release; what was yanked does not count."""
    return max((file for file in files if version(file) and not file.get("yanked")), key=version)


def version(file: dict) -> tuple[int, ...]:
    """(26, 1) of `pip-26.1-py3-none-any.whl`; empty for a source archive or a pre-release."""
    numbers = file["filename"].split("-")[1].split(".")
    return tuple(map(int, numbers)) if file["filename"].endswith(".whl") and all(map(str.isdigit, numbers)) else ()


def site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python3.*/site-packages"))


def see(target: Path, other: Path) -> None:
    path = os.path.relpath(site_packages(other.resolve()), site_packages(target.resolve()))
    (site_packages(target) / "_seen.pth").write_text(f"{path}\n")


def main() -> None:
    check_python()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--sees", type=Path)
    asked = parser.parse_args()
    if not works(asked.target):
        make(asked.target)
    if asked.sees:
        see(asked.target, asked.sees)


main()
