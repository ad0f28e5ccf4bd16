"""The files that the structure tests look at, and how a test reports."""

import pathlib
import sys

FOLDERS = ("formats", "runtime", "compress", "cli", "tests", "experiments", "docs", ".ci")
SOURCES = (".cpp", ".h", ".c", ".cu", ".cuh", ".py", ".sh")


def root() -> pathlib.Path:
    return pathlib.Path(__file__).resolve().parent.parent.parent


def files(folders=FOLDERS, suffixes=SOURCES) -> list[pathlib.Path]:
    """Paths relative to the root, sorted. Recorded data are no sources."""
    found = []
    for folder in folders:
        for path in (root() / folder).rglob("*"):
            relative = path.relative_to(root())
            recorded = relative.parts[:2] == ("tests", "data") or "__pycache__" in relative.parts
            if path.is_file() and not recorded and (not suffixes or path.suffix in suffixes):
                found.append(relative)
    return sorted(found)


def text(path: pathlib.Path) -> str:
    return (root() / path).read_text(encoding="utf-8")


def finish(checked: int, faults: list[str], least: int = 1) -> None:
    """Ends the test; one that looked at nothing has not passed."""
    for fault in faults:
        print(fault)
    print(f"{checked} checked, {len(faults)} faults")
    sys.exit(1 if faults or checked < least else 0)
