"""A lattice model's weights as the compiled kernel reads them."""

from kernel.layout import FloatArray
from kernel.weights import LatticeWeights
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
    config = trm.config
    return LatticeWeights.of_state(
        arrays,
        latent_recursions=config.latent_recursions,
        deep_recursions=config.deep_recursions,
    )
