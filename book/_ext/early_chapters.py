"""Run the chapters that are not in the cache before Sphinx reads them, several at a time.

Sphinx would run them one after the other, on one core. Here they only go into the cache, from
which the build then takes them; a chapter that fails is left for the build to fail on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from sphinx.util import logging

MOST = 4  # kernels at a time: each takes about a gigabyte
logger = logging.getLogger(__name__)


def notebooks(env: Any, names: list[str]) -> Iterator[tuple[Path, Any]]:
    """The chapters among these pages that have cells to run, read as the build will read them."""
    for name in names:
        path = Path(env.doc2path(name))
        text = path.read_text(encoding="utf-8")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        notebook = reader.read(text) if reader else None
        if notebook and any(cell.cell_type == "code" for cell in notebook.cells):
            yield path, notebook


def is_kept(cache: Any, notebook: Any) -> bool:
    """Whether the cache has run exactly these cells."""
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def execute(app: Any, env: Any, names: list[str]) -> None:
    """Run what is new; the outputs are what the build would have made itself."""
    cache = get_cache(app.config.nb_execution_cache_path)
    new = [(path, nb) for path, nb in notebooks(env, names) if not is_kept(cache, nb)]
    workers = min(os.cpu_count() or 1, MOST, len(new))
    if workers < 2:
        return
    logger.info("running %d chapters, %d at a time", len(new), workers)
    timeout = app.config.nb_execution_timeout
    with ThreadPoolExecutor(workers) as pool:
        running = {
            pool.submit(single_nb_execution, nb, str(path.parent), timeout, False): (path, nb)
            for path, nb in new
        }
        for done in as_completed(running):
            (path, nb), result = running[done], done.result()
            if result.err is not None:
                continue
            logger.info("%s took %.0f s", path.name, result.time)
            bundle = CacheBundleIn(nb, str(path), data={"execution_seconds": result.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def setup(app: Any) -> dict[str, bool]:
    app.connect("env-before-read-docs", execute)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
