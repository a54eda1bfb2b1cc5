"""Devices by name."""

import torch


class DeviceError(ValueError):
    """A device that does not exist here."""


def resolve_device(name: str) -> torch.device:
    """cpu, cuda or cuda:N. Raises: DeviceError."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{name!r} is no device; expected cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {name!r} is not supported; expected cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"no device {name!r} here: PyTorch sees {torch.cuda.device_count()} GPUs")
    return device
