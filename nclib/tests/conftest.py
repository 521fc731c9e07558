"""One thread for the tests: the networks are tiny, and runs must repeat bit for bit anywhere."""

from __future__ import annotations

import os

import torch

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
