"""`training.clean.copies.nearest_copies`: the nearest others, without the matrix of all distances."""

from __future__ import annotations

import numpy as np
import pytest

from training.clean.copies.fingerprint import Fingerprints
from training.clean.copies.nearest_copies import nearest, nearest_or_mirrored


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


@pytest.mark.parametrize("total", [3, 40, 3000])
def test_the_nearest_as_they_are_or_mirrored_are_those_of_the_matrix(total: int) -> None:
    dice = np.random.default_rng(0)
    prints = Fingerprints(*(dice.normal(size=(total, width)).astype(np.float32) for width in (5, 4)))
    both = [np.hstack([prints.even, sign * prints.odd]) for sign in (1, -1)]
    apart = np.stack([((both[0][:, None] - other[None]) ** 2).sum(2) for other in both])
    apart[:, np.arange(total), np.arange(total)] = np.inf
    order = np.argsort(apart.min(0), axis=1)[:, : min(6, total - 1)]
    positions, mirrored = nearest_or_mirrored(prints, 6)
    assert np.array_equal(np.sort(positions), np.sort(order))
    assert np.array_equal(mirrored, np.take_along_axis(apart[1] < apart[0], positions, 1))


def test_one_fingerprint_has_no_neighbours() -> None:
    positions, mirrored = nearest_or_mirrored(Fingerprints(np.ones((1, 2), np.float32), np.ones((1, 2), np.float32)), 3)
    assert positions.shape == mirrored.shape == (1, 0)
