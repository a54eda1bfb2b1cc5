"""The reference's layers."""

import pytest
import torch

from model.layers import rms_norm, swiglu_width, truncated_normal


def test_truncated_normal_has_the_standard_deviation_it_is_asked_for() -> None:
    torch.manual_seed(0)
    values = truncated_normal(400, 500, std=0.3)
    assert values.std().item() == pytest.approx(0.3, rel=0.01)
    assert values.mean().item() == pytest.approx(0.0, abs=0.005)


def test_truncated_normal_is_cut_at_two_uncorrected_deviations() -> None:
    torch.manual_seed(0)
    largest = truncated_normal(400, 500, std=1.0).abs().max().item()
    assert 2.2 < largest <= 2.0 / 0.8796 + 1e-4


@pytest.mark.parametrize(("size", "width"), [(512, 1536), (97, 512), (81, 256), (916, 2560)])
def test_swiglu_widths_are_the_references(size: int, width: int) -> None:
    assert swiglu_width(size, 4.0) == width


def test_rms_norm_gives_the_last_axis_unit_root_mean_square() -> None:
    torch.manual_seed(0)
    normed = rms_norm(7.0 * torch.randn(4, 5, 64))
    assert normed.square().mean(-1).sqrt() == pytest.approx(torch.ones(4, 5), abs=1e-4)
