"""A stand-in for Apple's MPS on a machine without it: tensors that say they lie there, and refuse what those refuse.

Their numbers lie in the computer's own memory, so that autograd, optimisers and views work as they are. Which of them
are "there" is a mark on the storage, which views, `.data`, `detach()` and a parameter share with its tensor. All calls
of torch pass through a `TorchFunctionMode`, which follows the marks, refuses to mix marked tensors with others, and
knows no float64. It is switched on by `with stand_in():`, or for a process and all that it starts by the environment
that `environment` returns.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

SWITCH = "COURSE_STAND_IN"
THERE = torch.device("mps", 0)
DOUBLE = (torch.float64, torch.complex128)
ROUNDING = 1 + 2**-21  # another processor's sums differ in their last bits, and training goes another way from there
ROUNDED = (torch.conv1d, torch.conv2d, F.linear)
CROSSING = (Tensor.copy_, Tensor.data.__set__, Tensor.set_, torch._has_compatible_shallow_copy_type)  # take two devices
CONVERTING = (torch.tensor, torch.as_tensor, torch.asarray)
ANSWERS = {Tensor.device.__get__: THERE, Tensor.is_mps.__get__: True, Tensor.is_cpu.__get__: False}


def environment(counter: Path) -> dict[str, str]:
    """This process's environment, with the stand-in for every Python that is started in it.

    The file `counter` grows by a byte with each step that an optimiser makes there.
    """
    here = Path(__file__)
    folders = [here.with_name("site"), here.parents[2], os.environ.get("PYTHONPATH", "")]
    return {**os.environ, SWITCH: str(counter), "PYTHONPATH": os.pathsep.join(map(str, filter(None, folders)))}


@contextmanager
def stand_in() -> Iterator["Accelerator"]:
    """An accelerator, as long as the block lasts; its `steps` counts the optimiser's steps that were made there."""
    package = (5, _location_of, _restored)  # 5: asked before torch's own, which begin with 10
    torch.serialization.register_package(*package)
    mps = mock.patch.object(torch.backends.mps, "is_available", cache(lambda: True))  # cached, as torch's own
    cuda = mock.patch.object(torch.cuda, "is_available", lambda: False)
    try:
        with mps, cuda, Accelerator() as accelerator:
            yield accelerator
    finally:
        torch.serialization._package_registry.remove(package)


class Accelerator(TorchFunctionMode):
    """Follows the marks through every call of torch, and refuses what can't be done there."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if function in CONVERTING:
            return _converted(function, *args, **kwargs)
        tensors = list(_tensors((args, kwargs)))
        there = any(map(is_there, tensors))
        if function in HANDLERS and (there or function is Tensor.to):
            return HANDLERS[function](*args, **kwargs)
        if there and function in ANSWERS:
            return ANSWERS[function]
        if there and function not in CROSSING:
            _refuse_mixing(tensors)
        if kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]).type == "mps"
            kwargs["device"] = "cpu"
        if there and kwargs.get("generator") is not None:
            raise RuntimeError("Expected a 'mps' device type for generator but found 'cpu'")
        if there and function is torch._fused_adam_:
            self._count_step()
        result = function(*args, **kwargs)
        if there and function in ROUNDED:
            result = result * ROUNDING
        if there and isinstance(result, Tensor):
            return _marked(result)
        return tree_map_only(Tensor, _marked, result) if there else result

    def _count_step(self) -> None:
        self.steps += 1
        if counter := os.environ.get(SWITCH):
            with open(counter, "ab") as file:
                file.write(b".")


def is_there(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and getattr(tensor.untyped_storage(), "is_there", False)


def _marked(tensor: Tensor) -> Tensor:
    if tensor.dtype in DOUBLE:
        raise TypeError(
            "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
            "Please use float32 instead."
        )
    tensor.untyped_storage().is_there = True
    return tensor


def _placed(tensor: Tensor, there: bool) -> Tensor:
    """The tensor, or where it lies elsewhere a copy."""
    tensor = tensor if is_there(tensor) == there else tensor.clone()
    return _marked(tensor) if there else tensor


def _tensors(values: Any) -> Iterator[Tensor]:
    """All tensors among arguments, in lists, tuples and dictionaries too."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple, dict)):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _tensors(value)


def _refuse_mixing(tensors: list[Tensor]) -> None:
    """As PyTorch: a CPU tensor without axes is taken as a number, any other one is refused."""
    if any(map(is_there, tensors)) and not all(is_there(tensor) or tensor.dim() == 0 for tensor in tensors):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, mps:0 and cpu!"
        )


def _converted(function: Callable, data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
    there = isinstance(data, Tensor) and is_there(data) if device is None else torch.device(device).type == "mps"
    return _placed(function(data, *args, device="cpu", **kwargs), there)


def _to(tensor: Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
    (other,) = [*_tensors((args, kwargs)), None][:1]
    if other is not None:
        device, dtype, memory_format = THERE if is_there(other) else torch.device("cpu"), other.dtype, None
    else:
        device, dtype, _, memory_format = torch._C._nn._parse_to(*args, **kwargs)
    there = is_there(tensor) if device is None else device.type == "mps"
    converted = tensor.to(dtype=dtype, copy=copy, memory_format=memory_format or torch.preserve_format)
    if is_there(tensor):
        _marked(converted)  # dtypes are changed there, before the way back
    return _placed(converted, there)


def _to_numpy(tensor: Tensor, *args: Any, force: bool = False, **kwargs: Any) -> Any:
    if not force:
        raise TypeError(
            "can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )
    return tensor.numpy(force=True)


def _getitem(tensor: Tensor, index: Any) -> Tensor:
    _check_index(tensor, index)
    return _placed(tensor[index], is_there(tensor))


def _setitem(tensor: Tensor, index: Any, value: Any) -> None:
    _check_index(tensor, index)
    if any(True for _ in _tensors(index)):  # else it is a copy, which may cross
        _refuse_mixing([tensor, *_tensors(value)])
    tensor[index] = value


def _check_index(tensor: Tensor, index: Any) -> None:
    if not is_there(tensor) and any(is_there(each) and each.dim() for each in _tensors(index)):
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")


def _grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> tuple[Tensor | None, ...]:
    """Each gradient lies where its input does."""
    gradients = torch.autograd.grad(outputs, inputs, *args, **kwargs)
    pairs = zip(gradients, _tensors(inputs), strict=True)
    return tuple(None if gradient is None else _placed(gradient, is_there(given)) for gradient, given in pairs)


def _batch_norm(features: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if torch.is_grad_enabled() and features.dim() == 4 and not features.is_contiguous():
        # Until the summer of 2026 PyTorch's MPS said this on the way back, or went wrong silently: its issue 175189.
        raise RuntimeError("view size is not compatible with input tensor's size and stride")
    _refuse_mixing(list(_tensors((features, args, kwargs))))
    return _marked(F.batch_norm(features, *args, **kwargs))


HANDLERS = {
    Tensor.to: _to,
    Tensor.type_as: _to,
    Tensor.cpu: lambda tensor, *args, **kwargs: _placed(tensor, False),
    Tensor.numpy: _to_numpy,
    Tensor.__array__: _to_numpy,
    Tensor.__getitem__: _getitem,
    Tensor.__setitem__: _setitem,
    torch.autograd.grad: _grad,
    F.batch_norm: _batch_norm,
}


def _location_of(storage: torch.UntypedStorage) -> str | None:
    """What torch.save writes beside a storage."""
    return "mps" if getattr(storage, "is_there", False) else None


def _restored(storage: torch.UntypedStorage, location: str) -> torch.UntypedStorage | None:
    if not location.startswith("mps"):
        return None
    storage.is_there = True
    return storage
