"""Calibration of halt probabilities."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from training.evaluation_sums import calibrate


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize(
    ("probabilities", "exact", "brier", "ece"),
    [
        ((0.25, 0.25), (False, True), (0.0625 + 0.5625) / 2, 0.25),
        ((0.75, 0.25), (True, False), 0.0625, 0.25),
        ((0.55, 0.58, 0.05), (True, False, False), (0.2025 + 0.3364 + 0.0025) / 3, None),
    ],
)
def test_calibration_against_hand_made_numbers(
    probabilities: Sequence[float], exact: Sequence[bool], brier: float, ece: float | None
) -> None:
    q_halt = np.array([_logit(p) for p in probabilities], np.float32)
    found = calibrate(q_halt, np.array(exact))
    assert found.brier == pytest.approx(brier, rel=1e-5)
    if ece is None:
        ece = 2 / 3 * abs(0.565 - 0.5) + 1 / 3 * 0.05
    assert found.ece == pytest.approx(ece, rel=1e-5)
    assert sum(b.count for b in found.bins) == len(exact)


def test_extreme_logits_fall_into_the_outer_bins() -> None:
    found = calibrate(np.array([-1e4, 1e4], np.float32), np.array([False, True]))
    assert [b.count for b in found.bins] == [1, *[0] * 8, 1]
    assert found.brier == 0.0
