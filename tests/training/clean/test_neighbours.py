"""`training.clean.neighbours`: the nearest others, without the matrix of all distances."""

from __future__ import annotations

import numpy as np
import pytest

from training.clean.neighbours import nearest


@pytest.mark.parametrize("width", [3, 64, 1280])
def test_it_is_what_the_matrix_of_all_distances_says(width: int) -> None:
    points = np.random.default_rng(0).normal(size=(700, width)).astype(np.float32)
    squares = (points.astype(np.float64) ** 2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * points.astype(np.float64) @ points.T, 0))
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1)[:, :4]
    found, positions = nearest(points, 4)
    assert np.array_equal(positions, order)
    assert found == pytest.approx(np.take_along_axis(distances, order, 1), rel=1e-4)


def test_a_copy_is_a_neighbour_and_the_point_itself_is_none() -> None:
    points = np.zeros((3, 2), np.float32)
    points[2] = 5
    distances, positions = nearest(points, 1)
    assert positions[:2, 0].tolist() == [1, 0]
    assert distances[:2, 0].tolist() == [0, 0]


@pytest.mark.parametrize(("count", "width"), [(0, 0), (1, 0), (3, 2)])
def test_fewer_points_have_fewer_neighbours(count: int, width: int) -> None:
    distances, positions = nearest(np.eye(count, 4, dtype=np.float32), 5)
    assert distances.shape == positions.shape == (count, width)
