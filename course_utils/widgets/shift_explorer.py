"""Move a digit over its frame and watch what several networks make of it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from traitlets import Bytes, Int, List, validate

from course_utils.models import LayerCall, device_of, evaluation_mode, recorded
from course_utils.perturb import shift
from course_utils.widgets.base import Converted, CourseWidget, grey_image, module

MOST_NETWORKS = 6
MAPS_SHOWN = 4
POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)


class ShiftExplorer(CourseWidget):
    """Drag a digit over its frame: the predictions and feature maps of each network follow.

    `image` is (28, 28) or whatever size the networks take, with pixels in 0..1. `networks` maps names to trained
    networks, up to six, each from images (N, 1, H, W) to logits (N, 10). All shifts of up to `reach` pixels are
    predicted once, here, so that the page needs no kernel to answer. `dx` (to the right) and `dy` (down), in pixels,
    say where the digit is; `label`, if it is given, which digit it is. The networks are left in the mode they were in.

    Raises `ValueError` for no networks or too many, for one that doesn't give ten finite logits, and for an image
    that is none or smaller than the reach, and for a `dx` or `dy` beyond it; `TypeError` for networks that are none.
    """

    title = "Shift explorer"
    _esm = module("shift_explorer")

    # What was predicted is for one image and one reach: another image needs another ShiftExplorer.
    image = Converted(lambda image: grey_image(image).tolist(), read_only=True).tag(sync=True)
    reach = Int(8, min=1, max=20, read_only=True).tag(sync=True)
    names = List(read_only=True).tag(sync=True)
    label = Int(None, allow_none=True, min=0, max=9).tag(sync=True)
    dx = Int(0).tag(sync=True)
    dy = Int(0).tag(sync=True)
    # float32 (networks, dy, dx, 10)
    _probabilities = Bytes().tag(sync=True)
    # For each network a list of its pictured stages, {"title", "start", "shape": (dy, dx, maps, H, W)}, bytes of _maps.
    _stages = List().tag(sync=True)
    _maps = Bytes().tag(sync=True)

    def __init__(self, image: Tensor, networks: Mapping[str, nn.Module], reach: int = 8, **traits: Any):
        _check_networks(networks)
        for name, value in (("image", image), ("reach", reach), ("names", list(networks))):
            self.set_trait(name, value)
        moved = self._moved()
        logits, pictures = zip(*(_answers(name, net, moved) for name, net in networks.items()), strict=True)
        self._table = torch.stack(logits).softmax(-1)
        self._probabilities = self._table.numpy().astype("<f4").tobytes()
        self._stages, self._maps = _packed(pictures)
        super().__init__(**traits)  # now that it has all that is sent to the page

    @validate("dx", "dy")
    def _within_reach(self, proposal: dict[str, Any]) -> int:
        if abs(proposal["value"]) > self.reach:
            raise ValueError(
                f"{proposal['trait'].name}={proposal['value']} is beyond the reach of {self.reach} pixels that were "
                "predicted. ShiftExplorer(image, networks, reach=12) predicts more"
            )
        return proposal["value"]

    def _moved(self) -> Tensor:
        """The image at all its places, (dy, dx, 1, H, W)."""
        image, steps = torch.tensor(self.image)[None], range(-self.reach, self.reach + 1)
        return torch.stack([torch.stack([shift(image, dx, dy) for dx in steps]) for dy in steps])

    def predict(self, dx: int | None = None, dy: int | None = None) -> dict[str, Tensor]:
        """Each network's ten probabilities, (10,), for the digit moved by `dx` and `dy`; by default, where it is now.

        Raises `IndexError` beyond the reach.
        """
        dx, dy = self.dx if dx is None else dx, self.dy if dy is None else dy
        if max(abs(dx), abs(dy)) > self.reach:
            raise IndexError(f"the digit was moved by up to {self.reach} pixels; there is no dx={dx}, dy={dy}")
        return dict(zip(self.names, self._table[:, dy + self.reach, dx + self.reach], strict=True))

    @property
    def value(self) -> dict[str, int]:
        """The digit that each network sees where the digit is now."""
        return {name: int(probabilities.argmax()) for name, probabilities in self.predict().items()}


def _check_networks(networks: Mapping[str, nn.Module]) -> None:
    if not isinstance(networks, Mapping):
        raise TypeError(f'expected networks as a dict, {{"its name": network, …}}, got {type(networks).__name__}')
    if not 1 <= len(networks) <= MOST_NETWORKS:
        raise ValueError(f"expected 1 to {MOST_NETWORKS} networks, got {len(networks)}")
    for name, network in networks.items():
        if not isinstance(network, nn.Module):
            raise TypeError(f"expected network {name!r} to be an nn.Module, got {type(network).__name__}")


def _answers(name: str, network: nn.Module, moved: Tensor) -> tuple[Tensor, list[tuple[str, Tensor]]]:
    """Logits (dy, dx, 10), and titled feature maps (dy, dx, maps, H, W), of the digit at all places."""
    device = device_of(network)
    rows, stages = [], []
    try:
        with evaluation_mode(network), torch.inference_mode(), recorded(network) as calls:
            network(moved[len(moved) // 2, moved.shape[1] // 2, None].to(device))
            chosen = _most_varying(_stages(calls))
            for row in moved:  # row by row: little memory
                calls.clear()
                rows.append(network(row.to(device)).cpu())
                stages.append({title: maps[:, chosen].cpu() for title, maps in _stages(calls).items()})
    except Exception as error:
        error.add_note(f"This happened in network {name!r}, given images {tuple(moved.shape[1:])}.")
        raise
    logits = torch.stack(rows)
    expected = (*moved.shape[:2], 10)
    if tuple(logits.shape) != expected or not logits.isfinite().all():
        raise ValueError(
            f"expected network {name!r} to give ten finite logits for each image, {expected[1:]}, got "
            f"{tuple(logits.shape[1:])}{'' if logits.isfinite().all() else ', some of them NaN or infinite'}"
        )
    return logits, [(title, torch.stack([row[title] for row in stages])) for title in stages[0]]


def _stages(calls: list[LayerCall]) -> dict[str, Tensor]:
    """Feature maps (N, C, H, W) before and after the last pooling, or the last ones of a network that doesn't pool."""
    convolutions = [index for index, call in enumerate(calls) if isinstance(call.layer, nn.Conv2d)]
    after = calls[min(convolutions, default=len(calls)) :]
    # What a dense layer makes is no map of features; a recurrent one gives no tensor.
    maps = [call for call in after if isinstance(call.output, Tensor) and call.output.dim() == 4]
    pooled = [call for call in maps if isinstance(call.layer, POOLING)]
    if pooled:
        return {"before the last pooling": pooled[-1].input, "after it": pooled[-1].output}
    return {"feature maps, no pooling": maps[-1].output} if maps else {}


def _most_varying(stages: dict[str, Tensor]) -> Tensor | slice:
    """Of the first stage's maps, those that vary most over the first image."""
    if not stages:
        return slice(None)
    spread = next(iter(stages.values()))[0].flatten(1).var(1, correction=0)
    return spread.argsort(descending=True, stable=True)[:MAPS_SHOWN]


def _packed(pictures: tuple[list[tuple[str, Tensor]], ...]) -> tuple[list[list[dict[str, Any]]], bytes]:
    """All maps as bytes in a row, 0 black and 255 the largest value of its stage, and where each stage starts."""
    described, packed = [], bytearray()
    for stages in pictures:
        described.append([])
        for title, maps in stages:
            described[-1].append({"title": title, "start": len(packed), "shape": list(maps.shape)})
            scaled = maps.clamp(min=0) * (255 / maps.max().clamp(min=1e-12))
            packed += scaled.round().to(torch.uint8).numpy().tobytes()
    return described, bytes(packed)
