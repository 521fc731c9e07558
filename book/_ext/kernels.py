"""The environment that the chapters' kernels start with; what is set already stays."""

from __future__ import annotations

import importlib
import os
from typing import Any

ENVIRONMENT = {
    # A progress bar writes to the error stream, and that fails a strict build.
    "TQDM_DISABLE": "1",
    # The live networks are too small for several threads, and with one their numbers do not depend
    # on how many cores there are.
    "OMP_NUM_THREADS": "1",
    # The kernel of this environment, not one of the same name in the home folder.
    "JUPYTER_PREFER_ENV_PATH": "1",
    # Else the debugger, which nobody asked for, complains in the log of every kernel.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    # Lists made by the package may link to labels of other pages, which a notebook does not have.
    "NCLIB_BOOK": "1",
}
# It would keep the figures off the pages.
UNWELCOME = "MPLBACKEND"


def setup(app: Any) -> dict[str, bool]:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.pop(UNWELCOME, None)
    # Matplotlib says in the first chapter that it builds its font list, unless it has one already.
    importlib.import_module("matplotlib.font_manager")

    return {"parallel_read_safe": True, "parallel_write_safe": True}
