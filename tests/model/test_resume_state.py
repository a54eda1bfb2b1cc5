"""A state as JSON and arrays: everything comes back as it was, and nothing else goes in."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from model.resume_state import pack, unpack


def test_tensors_and_plain_values_come_back_bit_for_bit() -> None:
    buffer = torch.arange(6, dtype=torch.float32)
    state = {
        "optimizers": [{"state": {0: {"mean": buffer[:3]}, 1: {"mean": buffer.view(2, 3).T}}}],
        "betas": (0.1, 1e-300),
        "none": None,
        "flags": {"on": True, "count": 2**60, "bad": -math.inf},
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        **{str(dtype): torch.ones(2, dtype=dtype) for dtype in (torch.bfloat16, torch.bool)},
    }
    tree, arrays = pack(state)
    found = unpack(json.loads(json.dumps(tree)), load(save(arrays)))
    plain = ("betas", "none", "flags")
    assert {key: found[key] for key in plain} == {key: state[key] for key in plain}
    moments = found["optimizers"][0]["state"]
    assert torch.equal(moments[0]["mean"], buffer[:3])
    assert torch.equal(moments[1]["mean"], buffer.view(2, 3).T)
    for name in ("scalar", "empty", "torch.bfloat16", "torch.bool"):
        assert found[name].dtype == state[name].dtype
        assert torch.equal(found[name], state[name])


def test_what_is_no_plain_value_is_named() -> None:
    with pytest.raises(TypeError, match=r"state/run/0: a PosixPath cannot be saved"):
        pack({"run": [Path("/")]})
