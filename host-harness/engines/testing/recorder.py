#!/usr/bin/env python3
"""Runs a command, and records what passes through its standard input and output.

recorder.py DIRECTORY COMMAND [ARGUMENT...]
"""

import os
import subprocess
import sys
import threading
from pathlib import Path


def copy(source: int, sink: int, record: Path) -> None:
    """Copies until the source ends, and closes the sink."""
    with record.open("wb", 0) as file:
        while part := os.read(source, 1 << 16):
            file.write(part)
            while part:
                part = part[os.write(sink, part) :]
    os.close(sink)


def main() -> int:
    directory, *command = sys.argv[1:]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sink = os.dup(process.stdin.fileno())
        process.stdin.close()
        sent = Path(directory, "sent")
        threading.Thread(target=copy, args=(0, sink, sent), daemon=True).start()
        copy(process.stdout.fileno(), 1, Path(directory, "received"))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
