"""Where the programs are that the tests of the clients use."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def existing(variable: str, default: Path) -> Path:
    """The file that an environment variable names, or else the default."""
    path = Path(os.environ.get(variable, default))
    if not path.is_file():
        raise SystemExit(f"There is no {path}. Build it, or set {variable}")
    return path


def binary(variable: str, name: str) -> Path:
    """A program that cargo has built, or another one that an environment variable names."""
    return existing(variable, TARGET / "debug" / name)
