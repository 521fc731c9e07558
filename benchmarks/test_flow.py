"""The projected flow in closed form, against two integrations of it.

1,000 times from 0 to 1e9 of the nine SNR values of ten classes, to 1e-9. First against what one
has without the theory: the features themselves, descending the projected field that is built by
automatic differentiation of loss and constraints, by SciPy's RK45 at rtol 1e-10. Then against
the nine scalar differential equations that the theory leaves, by the same integrator: here RK45
needs but a few hundred steps for all nine values at once, each step as cheap as the solver's own
bookkeeping, and the ratio is that of one millisecond to ten. One thread: tensors are small.

    pytest benchmarks
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from nclib.theory.central_path import CentralPath
from nclib.theory.free_features import projected_gradient, snr_values, start

C, N, D = 10, 2, 9
TIMES = torch.cat([torch.zeros(1), torch.logspace(-3, 9, 999, dtype=torch.float64)]).double()
BAR, SCALAR_BAR = 1000, 3


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads of a busy machine cost these tensors a factor of fifty."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def path():
    """Nine values between 0.5 and 2."""
    return CentralPath(C, N, torch.linspace(2, 0.5, C - 1, dtype=torch.float64))


@pytest.fixture(scope="module")
def closed(path):
    """Seconds of the closed form, and its values (T, C-1)."""
    path.at(TIMES)  # warm up
    return min((seconds(path.at, TIMES) for _ in range(20)), key=lambda run: run[0])


def seconds(function, *args):
    """Wall seconds of one call, and its result."""
    begin = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - begin, result


def rk45(velocity, origin):
    """SciPy's default integrator over all times, (T, ...)."""
    from scipy.integrate import solve_ivp

    found = solve_ivp(
        velocity, (0, float(TIMES[-1])), origin, t_eval=TIMES.numpy(), rtol=1e-10, atol=1e-12
    )
    assert found.success
    return torch.as_tensor(found.y.T)


def features_of(path):
    """The features at each time, descending the projected gradient."""
    shape = (C, N, D)

    def velocity(_, flat):
        return -projected_gradient(torch.as_tensor(flat).reshape(shape)).reshape(-1).numpy()

    return rk45(velocity, start(C, N, D, 0, omega=path.omega).reshape(-1).numpy()).reshape(
        -1, *shape
    )


def scalars_of(path):
    """The nine values at each time, by their own equations."""
    return rk45(lambda _, w: w / (N * (C + w**2) ** 2), path.omega.numpy().astype(np.float64))


def report(capsys, what, slow, fast, error):
    with capsys.disabled():
        ratio = slow / fast
        print(f"\n{what}: {slow:.3g} s, closed form {fast:.2g} s, {ratio:.0f}x, error {error:.0e}")


def test_ratio_to_the_flow_of_features(path, closed, capsys):
    """1,000 times faster than the integrated projected field, and the same values to 1e-9."""
    fast, values = closed
    slow, features = seconds(features_of, path)
    error = float((snr_values(features[::37]) / values[::37] - 1).abs().max())
    report(capsys, "Features, brute force", slow, fast, error)
    assert error <= 1e-9
    assert slow / fast >= BAR


def test_ratio_to_the_scalar_equations(path, closed, capsys):
    """Faster than nine scalar equations too, but not by much."""
    fast, values = closed
    slow, integrated = min((seconds(scalars_of, path) for _ in range(3)), key=lambda run: run[0])
    error = float((integrated / values - 1).abs().max())
    report(capsys, "Nine scalar equations", slow, fast, error)
    assert error <= 1e-8  # what RK45 loses over 12 decades of time at this rtol
    assert slow / fast >= SCALAR_BAR


def test_time_of_the_closed_form(benchmark, path):
    """Wall time of 1,000 x 9 values, for comparison from edition to edition."""
    benchmark(path.at, TIMES)
