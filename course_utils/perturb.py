"""Images changed on purpose, for tests of what a network tolerates.

Each function takes float images (N, C, H, W) with black as 0 and white as 1 and returns new ones of the same shape,
on the same device; black comes in where nothing was. What is left to chance is drawn on the CPU, fixed by a seed, and
leaves torch's random state alone. Raises `ValueError` for images of another shape or an amount out of its limits,
`TypeError` for pixels that are not floating-point numbers.
"""

import math
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import validate

CHUNK = 500  # images warped at a time: some 30 MB at 28 by 28 pixels


def shift(images: Tensor, dx: int, dy: int) -> Tensor:
    """Move images (..., H, W) by whole pixels, dx to the right and dy down.

    Raises `ValueError` for a shift by the whole image or more, which would leave nothing to see.
    """
    dx, dy = (validate.whole_number(name, value, at_least=None) for name, value in (("dx", dx), ("dy", dy)))
    height, width = validate.tensor("images", images).shape[-2:]
    if abs(dx) >= width or abs(dy) >= height:
        raise ValueError(
            f"a shift by dx={dx}, dy={dy} pixels leaves nothing of an image {height} high and {width} wide; "
            f"use |dx| < {width} and |dy| < {height}"
        )
    # A negative padding cuts pixels off: what leaves at one side comes in, black, at the other.
    return F.pad(images, (dx, -dx, dy, -dy))


def pixels_lost(images: Tensor, dx: int, dy: int) -> Tensor:
    """How many pixels of each image (N, C, H, W) that are not black leave the frame in `shift`: (N,), int64."""
    validate.batch("images", images, ("C", "H", "W"))
    return (images > 0).sum((1, 2, 3)) - (shift(images, dx, dy) > 0).sum((1, 2, 3))


def scramble(images: Tensor, seed: int = 0) -> Tensor:
    """Give the pixels of images (..., H, W) new places, the same for every image: one permutation, fixed by `seed`."""
    flat = validate.tensor("images", images).flatten(-2)
    order = torch.randperm(flat.shape[-1], generator=torch.Generator().manual_seed(seed))
    return flat[..., order.to(images.device)].view_as(images)


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Turn images (N, C, H, W) about their centre by `degrees`, counter-clockwise; pixels are interpolated linearly.

    Corners that leave the frame are lost.
    """
    validate.images(images)
    degrees = validate.number("degrees", degrees)
    transforms = _torchvision()
    return transforms.rotate(images, degrees, interpolation=transforms.InterpolationMode.BILINEAR)


def scale(images: Tensor, factor: float) -> Tensor:
    """Enlarge (factor above 1) or shrink (below 1) images (N, C, H, W) about their centre; the frame stays.

    Pixels are interpolated linearly, so that shrinking to less than a half skips some.
    """
    validate.images(images)
    factor = validate.number("factor", factor, above=0)
    transforms = _torchvision()
    nowhere, linear = [0, 0], transforms.InterpolationMode.BILINEAR
    return transforms.affine(images, angle=0, translate=nowhere, scale=factor, shear=nowhere, interpolation=linear)


def _torchvision() -> ModuleType:
    """Imported when it is needed: torchvision takes as long as torch, in every process that trains or reads a digit."""
    from torchvision.transforms.v2 import functional

    return functional


def random_affine(
    images: Tensor,
    generator: torch.Generator,
    max_rotation: float = 0.0,
    max_scale: float = 0.0,
    max_shear: float = 0.0,
    max_shift: float = 0.0,
    places: range | None = None,
) -> Tensor:
    """Turn, scale, slant and move each image of (N, C, H, W) about its centre by random amounts of its own.

    The amounts are uniform: a rotation of at most `max_rotation` degrees either way, a scale of 1 ± `max_scale`, a
    slant that moves a pixel sideways by at most `max_shear` times its height above the centre, a shift of at most
    `max_shift` pixels along x and as much along y. Pixels are interpolated linearly. With `places`, the images
    are those of a larger batch, changed as they would be in the whole: range(1, 64, 2) is every second of 64. An
    amount may not be below 0, and `max_scale` must be below 1.
    """
    validate.images(images)
    limits = {"max_rotation": max_rotation, "max_shear": max_shear, "max_shift": max_shift}
    for name, limit in limits.items():
        validate.number(name, limit, at_least=0)
    validate.number("max_scale", max_scale, at_least=0, below=1)
    places = range(len(images)) if places is None else places
    unit = torch.rand(5, places.stop, generator=generator)[:, places.start :: places.step] * 2 - 1
    amounts = unit * torch.tensor([math.radians(max_rotation), max_scale, max_shear, max_shift, max_shift])[:, None]
    matrices = _affine_matrices(*amounts, *images.shape[-2:]).to(images)
    return F.grid_sample(images, _affine_grid(matrices, *images.shape[-2:]), align_corners=False)


def _affine_grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """(N, H, W, 2), as torch's `affine_grid` with `align_corners=False`, by broadcasting: a third of its time."""
    x, y = ((2 * torch.arange(size).to(matrices) + 1) / size - 1 for size in (width, height))
    along_x = matrices[:, None, None, :, 0] * x[:, None]
    along_y = matrices[:, None, None, :, 1] * y[:, None, None] + matrices[:, None, None, :, 2]
    return along_x + along_y


def _affine_matrices(
    angle: Tensor, scale: Tensor, shear: Tensor, dx: Tensor, dy: Tensor, height: int, width: int
) -> Tensor:
    """(N, 2, 3), in the units of `affine_grid`: where each pixel of the result comes from."""
    # Moved back, then slanted and turned and scaled back.
    cos, sin = angle.cos() / (1 + scale), angle.sin() / (1 + scale)
    xx, xy, yx, yy = cos, shear * cos - sin, sin, shear * sin + cos
    # affine_grid counts an image's height and width as 2 units each.
    rows = [
        *(xx, xy * height / width, -(xx * dx + xy * dy) * 2 / width),
        *(yx * width / height, yy, -(yx * dx + yy * dy) * 2 / height),
    ]
    return torch.stack(rows, dim=1).unflatten(1, (2, 3))


def elastic_warp(images: Tensor, alpha: float, sigma: float = 4.0, seed: int = 1) -> Tensor:
    """Bend each image of (N, C, H, W) by a smooth random field of its own.

    `alpha`, in pixels, is how far a pixel moves: the root mean square over the image. `sigma`, in pixels, is how
    smooth the field is: random arrows are blurred with a Gaussian of that width, as in Simard, Steinkraus and Platt,
    *Best practices for convolutional neural networks*, 2003. Their mean is taken off: the image is bent, not moved.
    """
    validate.images(images)
    alpha = validate.number("alpha", alpha, at_least=0)
    sigma = validate.number("sigma", sigma, above=0)
    height, width = images.shape[-2:]
    # grid_sample counts an image's height and width as 2 units each.
    units = torch.tensor([2 / width, 2 / height]).to(images)
    unmoved = F.affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False).to(images)
    generator = torch.Generator().manual_seed(seed)
    warped = []
    for chunk in images.split(CHUNK):  # the arrows need several times the memory of the images
        arrows = _arrows(chunk, alpha, sigma, generator)
        warped.append(F.grid_sample(chunk, unmoved + units * arrows.permute(0, 2, 3, 1), align_corners=False))
    return torch.cat(warped)


def _arrows(images: Tensor, alpha: float, sigma: float, generator: torch.Generator) -> Tensor:
    """Smooth random arrows (N, 2, H, W), x before y, of root mean square length `alpha` pixels in each image."""
    height, width = images.shape[-2:]
    reach = _reach(sigma, height, width)
    # Drawn on a larger canvas and cut out: at a mirrored border the arrows would be longer than in the middle.
    canvas = torch.rand(len(images), 2, height + 2 * reach, width + 2 * reach, generator=generator).to(images) * 2 - 1
    arrows = _gaussian(canvas, sigma)[..., reach:-reach, reach:-reach]
    arrows = arrows - arrows.mean(dim=(2, 3), keepdim=True)
    length = arrows.square().sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True).sqrt()
    return alpha * arrows / length


def noise(images: Tensor, std: float, seed: int = 1) -> Tensor:
    """Add to each pixel of (N, C, H, W) a normal random number of standard deviation `std`, then clip to 0..1.

    `std` is in grey levels, where 1 is the step from black to white; the clipping makes the noise on a black or
    white pixel weaker than that. Raises `ValueError` for pixels outside 0..1.
    """
    validate.in_unit_range("pixels", validate.images(images))
    std = validate.number("std", std, at_least=0)
    added = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)).to(images)
    return (images + std * added).clamp(0, 1)


def erase(images: Tensor, share: float, seed: int = 1) -> Tensor:
    """Make each block of 2 by 2 pixels of (N, C, H, W) black with the chance `share`: gaps, as of a pen that skips.

    `share` is from 0 to 1. At an odd border the last blocks are cut.
    """
    height, width = validate.images(images).shape[-2:]
    share = validate.number("share", share, at_least=0, at_most=1)
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.rand(len(images), 1, (height + 1) // 2, (width + 1) // 2, generator=generator) >= share
    pixels = blocks.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    return images * pixels[..., :height, :width].to(images)


def thicken(images: Tensor) -> Tensor:
    """Draw (N, C, H, W) with a thicker pen: each pixel becomes the brightest of the 3 by 3 around it."""
    return F.max_pool2d(validate.images(images), kernel_size=3, stride=1, padding=1)


def blur(images: Tensor, sigma: float) -> Tensor:
    """Blur images (N, C, H, W) with a Gaussian whose standard deviation is `sigma` pixels.

    The image is mirrored at its border.
    """
    validate.images(images)
    sigma = validate.number("sigma", sigma, at_least=0)
    return images.clone() if sigma == 0 else _gaussian(images, sigma)


def _gaussian(images: Tensor, sigma: float) -> Tensor:
    """Blurred along y and along x by two matrix products: far faster than convolving one channel."""
    sizes = images.shape[-2:]
    rows, columns = (_blur_matrix(size, _reach(sigma, *sizes), sigma).to(images) for size in sizes)
    return ((images @ columns).mT @ rows).mT


def _reach(sigma: float, height: int, width: int) -> int:
    """How many pixels the Gaussian's kernel reaches to each side; `ValueError` if the image is smaller than that."""
    reach = math.ceil(3 * sigma)  # 99.7 % of a Gaussian lies within three standard deviations
    smallest = min(height, width)
    if reach >= smallest:
        raise ValueError(
            f"sigma={sigma:g} pixels is too wide for images {height} high and {width} wide: the Gaussian reaches "
            f"3 sigma to each side, which must stay below the image's size. "
            f"Use a sigma of at most {math.floor(10 * (smallest - 1) / 3) / 10:g}"
        )
    return reach


def _blur_matrix(size: int, reach: int, sigma: float) -> Tensor:
    """The matrix (size, size) that blurs a row multiplied by it: each row is one blurred pixel."""
    # Blurring is linear, so what it does to single pixels says all.
    return _torchvision().gaussian_blur(torch.eye(size)[None], [2 * reach + 1, 1], [sigma, sigma])[0]
