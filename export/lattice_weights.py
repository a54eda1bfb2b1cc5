"""A lattice model's weights as the compiled kernel reads them."""

import numpy as np

from kernel.layout import FloatArray
from kernel.weights import BLOCK_ARRAYS, LatticeWeights
from model.trm import TinyRecursiveModel


def lattice_weights(trm: TinyRecursiveModel) -> LatticeWeights:
    """Copies of a lattice's parameters and fixed start states.

    Raises: ValueError for another cell.
    """
    if trm.config.cell != "lattice":
        raise ValueError(f"cell {trm.config.cell!r}, expected 'lattice'")
    arrays: dict[str, FloatArray] = {
        name: tensor.detach().cpu().float().numpy().copy()
        for name, tensor in trm.state_dict().items()
    }
    starts = [arrays[name] for name in ("y_start", "z_start", "y_noise", "z_noise")]
    return LatticeWeights(
        blocks=tuple(
            tuple(arrays[f"body.blocks.{block}.{name}.weight"] for name in BLOCK_ARRAYS)
            for block in range(trm.config.blocks)
        ),
        roles=arrays["body.roles"],
        starts=np.stack(starts),
        answer=arrays["body.answer.weight"].reshape(-1),
        halt=arrays["halt.weight"].reshape(-1),
        halt_bias=arrays["halt_bias"],
        latent_recursions=trm.config.latent_recursions,
        deep_recursions=trm.config.deep_recursions,
    )
