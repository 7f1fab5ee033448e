import numpy as np
import pytest
from scipy.interpolate import BSpline

from workloads.lesions.fields import field, grid_bytes


def raw(count, cells, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, grid_bytes(cells)), dtype=np.uint8)


@pytest.mark.parametrize(("cells", "size"), [(4, 28), (11, 64), (48, 224), (48, 28)])
def test_mean_0_and_deviation_1(cells, size):
    fields = field(raw(400, cells), cells, size, size)
    assert fields.shape == (400, size, size)
    assert fields.dtype == np.float32
    assert abs(fields.mean()) < 0.03
    assert abs(fields.std() - 1) < 0.06


def test_is_a_cubic_b_spline():
    grid = raw(1, 4)
    values = (grid.reshape(7, 7) - 127.5) / (128 * (1 / 3) ** 0.5 * 151 / 315)
    knots = np.arange(-3.0, 8.0)
    down = BSpline.design_matrix((np.arange(20) + 0.5) * 4 / 20, knots, 3).toarray()
    across = BSpline.design_matrix((np.arange(33) + 0.5) * 4 / 33, knots, 3).toarray()
    assert np.allclose(field(grid, 4, 20, 33)[0], down @ values @ across.T, atol=1e-5)


def test_a_field_does_not_depend_on_its_neighbours():
    grids = raw(9, 11)
    assert np.array_equal(field(grids, 11, 40, 50)[4], field(grids[4:5], 11, 40, 50)[0])


def test_finer_sizes_show_the_same_field():
    grids = raw(2, 5)
    coarse, fine = field(grids, 5, 30, 30), field(grids, 5, 90, 90)
    assert np.allclose(fine[:, 1::3, 1::3], coarse, atol=1e-5)
