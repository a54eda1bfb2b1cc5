"""The reference's layers: float32 master weights, cast to the activations' dtype at use.

Source: SamsungSAILMontreal/TinyRecursiveModels, models/layers.py (behaviour, not code).
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor, nn

RMS_EPSILON = 1e-5
ROPE_THETA = 10_000.0
# Cutting a unit normal at ±2 leaves this standard deviation; dividing by it restores 1.
CUT_NORMAL_STD = 0.8796256610342398


def truncated_normal(*shape: int, std: float) -> Tensor:
    """A float32 tensor cut at two deviations whose *resulting* standard deviation is `std`."""
    values = torch.empty(shape)
    return nn.init.trunc_normal_(values, std=1.0, a=-2.0, b=2.0).mul_(std / CUT_NORMAL_STD)


def rms_norm(h: Tensor) -> Tensor:
    """Scale the last axis to unit root mean square; no learned gain; computed in float32."""
    wide = h.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + RMS_EPSILON)).to(h.dtype)


class Linear(nn.Module):
    """(…, D_in) -> (…, D_out) without bias."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            truncated_normal(size_out, size_in, std=1.0 / math.sqrt(size_in))
        )

    def forward(self, h: Tensor) -> Tensor:
        return F.linear(h, self.weight.to(h.dtype))


def swiglu_width(size: int, expansion: float) -> int:
    """Inner width of a SwiGLU of the reference: two thirds of `expansion`, up to 256s."""
    return 256 * math.ceil(round(expansion * size * 2 / 3) / 256)


class SwiGLU(nn.Module):
    """(…, D) -> (…, D): down(silu(gate) · up)."""

    def __init__(self, size: int, expansion: float) -> None:
        super().__init__()
        width = swiglu_width(size, expansion)
        self.gate_up = Linear(size, 2 * width)
        self.down = Linear(width, size)

    def forward(self, h: Tensor) -> Tensor:
        gate, up = self.gate_up(h).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class RotaryTable(nn.Module):
    """Cosines and sines of rotary positions, (L, head size) each."""

    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, head_size: int) -> None:
        super().__init__()
        frequency = ROPE_THETA ** (-torch.arange(0, head_size, 2, dtype=torch.float32) / head_size)
        angle = torch.outer(torch.arange(length, dtype=torch.float32), frequency).repeat(1, 2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, heads: Tensor) -> Tensor:
        """Rotate (B, H, L, head size) by position; halves are paired, not neighbours."""
        first, second = heads.float().chunk(2, dim=-1)
        turned = torch.cat((-second, first), dim=-1)
        return (heads.float() * self.cos + turned * self.sin).to(heads.dtype)


class Attention(nn.Module):
    """Full self-attention over L positions, (B, L, D) -> (B, L, D)."""

    def __init__(self, size: int, heads: int, rotary: RotaryTable | None) -> None:
        super().__init__()
        self.heads = heads
        self.rotary = rotary
        self.qkv = Linear(size, 3 * size)
        self.out = Linear(size, size)

    def forward(self, h: Tensor) -> Tensor:
        batch, length, size = h.shape
        qkv = self.qkv(h).view(batch, length, 3, self.heads, size // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if self.rotary is not None:
            query, key = self.rotary(query), self.rotary(key)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, size))
        return out
