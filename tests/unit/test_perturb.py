"""Images changed on purpose, each against a loop, arithmetic or a slower way to the same images."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from course_utils import perturb
from course_utils.perturb import shift

# --- whole pixels -----------------------------------------------------------------------------------------------------


def shift_by_loop(images: torch.Tensor, dx: int, dy: int) -> torch.Tensor:
    """Every pixel goes dx columns to the right and dy rows down, if that is still inside."""
    height, width = images.shape[-2:]
    moved = torch.zeros_like(images)
    for row in range(height):
        for column in range(width):
            if 0 <= row + dy < height and 0 <= column + dx < width:
                moved[..., row + dy, column + dx] = images[..., row, column]
    return moved


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (3, 1, 6, 4), (2, 3, 1, 5)], ids=str)
def test_every_shift_of_every_size(shape):
    """The largest ones leave nothing, and are refused; the images given are never the ones returned."""
    images = torch.rand(shape) + 0.1  # nothing black in it
    before = images.clone()
    height, width = shape[-2:]
    for dx in range(-width, width + 1):
        for dy in range(-height, height + 1):
            if abs(dx) < width and abs(dy) < height:
                moved = shift(images, dx, dy)
                assert torch.equal(moved, shift_by_loop(before, dx, dy)), (dx, dy)
                moved[:] = 7
            else:
                with pytest.raises(ValueError, match=rf"dx={dx}, dy={dy} .* \|dx\| < {width} and \|dy\| < {height}"):
                    shift(images, dx, dy)
    assert torch.equal(images, before)


def test_pixels_lost_against_counting_by_hand():
    image = torch.tensor([[0.0, 0.0, 0.0, 0.5], [0.0, 0.2, 0.0, 0.9], [0.0, 0.0, 0.0, 0.0]])
    images = torch.stack([image, torch.zeros(3, 4)])[:, None]
    expected = {(0, 0): 0, (1, 0): 2, (2, 0): 2, (3, 0): 3, (-1, 0): 0, (-2, 0): 1, (0, -1): 1, (0, 1): 0, (1, 1): 2}
    for (dx, dy), count in expected.items():
        assert perturb.pixels_lost(images, dx, dy).tolist() == [count, 0], (dx, dy)


def test_scramble_moves_every_image_by_the_same_permutation():
    places = torch.arange(4 * 7.0).view(1, 1, 4, 7)
    scrambled = perturb.scramble(torch.cat([places, 100 + places]), seed=3)
    assert scrambled.shape == (2, 1, 4, 7)
    assert sorted(scrambled[0].flatten().tolist()) == list(range(28))
    assert torch.equal(scrambled[1], scrambled[0] + 100)
    assert not torch.equal(scrambled[:1], places)


# --- amounts ----------------------------------------------------------------------------------------------------------

AMOUNT = {  # a change by an amount, one that can be seen, and one that changes nothing
    "rotate": (perturb.rotate, 10, 360),
    "scale": (perturb.scale, 1.2, 1),
    "elastic_warp": (lambda images, alpha: perturb.elastic_warp(images, alpha, sigma=1.5), 1, 0),
    "noise": (perturb.noise, 0.1, 0),
    "blur": (perturb.blur, 0.7, 0),
    "erase": (perturb.erase, 0.3, 0),
}


@pytest.fixture(scope="module")
def images(mnist):
    return mnist.test[:20][0]


@pytest.mark.parametrize("name", AMOUNT)
def test_every_change(images, name):
    change, amount, nothing = AMOUNT[name]
    assert_close(change(images, nothing), images, rtol=0, atol=2e-5)
    for given in (images, torch.rand(3, 2, 9, 14), torch.rand(0, 1, 28, 28)):
        before = given.clone()
        found = change(given, amount)
        assert found.shape == given.shape and found.dtype == torch.float32 and torch.equal(given, before)
        assert ((found >= -1e-6) & (found <= 1 + 1e-6)).all()
        assert not len(given) or not torch.allclose(found, given)
    perturb.noise(change(images, amount), 0.1)  # which doesn't refuse what interpolation left by a rounding error
    for wrong, error in (
        (images[0, 0], ValueError),
        (images[:, 0], ValueError),
        (images.bool(), TypeError),
        (images.numpy(), TypeError),
    ):
        with pytest.raises(error):
            change(wrong, amount)
    for wrong in (-1, math.nan, math.inf):
        if wrong != -1 or name != "rotate":
            with pytest.raises(ValueError, match=f"finite number.* got {wrong}"):
                change(images, wrong)


@pytest.mark.parametrize(
    "change",
    [
        lambda images, seed: perturb.elastic_warp(images, 0.5, seed=seed),
        lambda images, seed: perturb.noise(images, 0.5, seed=seed),
        lambda images, seed: perturb.scramble(images, seed=seed),
        lambda images, seed: perturb.random_affine(images, torch.Generator().manual_seed(seed), max_shift=3),
    ],
)
def test_same_seed_same_images_and_torchs_random_state_is_left_alone(images, change):
    before = torch.random.get_rng_state()
    first = change(images, 7)
    assert torch.equal(change(images, 7), first)
    assert not torch.allclose(change(images, 8), first)
    assert torch.equal(torch.random.get_rng_state(), before)


# --- rotation and scale -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_rotation_by_quarter_turns_is_counter_clockwise(images, quarters):
    expected = torch.rot90(images, quarters, dims=(2, 3))  # from the first axis towards the second: see the next line
    assert torch.rot90(torch.tensor([[0, 1], [0, 0]])).tolist() == [[1, 0], [0, 0]]  # top right goes to top left
    assert_close(perturb.rotate(images, 90 * quarters), expected, rtol=0, atol=1e-4)


def centre_of_mass(image):
    """(x, y) in pixels from the centre of one image (1, 1, H, W), y upwards."""
    height, width = image.shape[-2:]
    weights = image[0, 0] / image.sum()
    x = (weights.sum(dim=0) * (torch.arange(width) - (width - 1) / 2)).sum()
    y = -(weights.sum(dim=1) * (torch.arange(height) - (height - 1) / 2)).sum()
    return x.item(), y.item()


@pytest.mark.parametrize("factor", [0.75, 1.5])
def test_scale_against_the_formula(factor):
    """A block 9 right of and 6 above the centre of a 61 by 61 image: place and size are multiplied."""
    image = torch.zeros(1, 1, 61, 61)
    image[0, 0, 20:29, 35:44] = 1  # 9 by 9 pixels about row 24 and column 39
    found = perturb.scale(image, factor)
    assert centre_of_mass(found) == pytest.approx((9 * factor, 6 * factor), abs=0.2)
    assert found.sum().item() == pytest.approx(81 * factor**2, rel=0.1)


# --- elastic warp -----------------------------------------------------------------------------------------------------


def arrows(count, size, alpha, sigma, seed):
    return perturb._arrows(torch.zeros(count, 1, *size), alpha, sigma, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("alpha", [0.5, 2.0])
@pytest.mark.parametrize("size", [(28, 28), (20, 33)])
def test_elastic_warp_moves_pixels_by_alpha(alpha, size):
    """Two ramps, brightness = place: the change in brightness is the displacement, measured in the image itself."""
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    # The same seed draws the same field whatever the images hold.
    dx = width * (perturb.elastic_warp(columns.expand(4, 1, -1, -1), alpha, seed=3) - columns)[:, 0]
    dy = height * (perturb.elastic_warp(rows.expand(4, 1, -1, -1), alpha, seed=3) - rows)[:, 0]
    field = arrows(4, size, alpha, 4.0, 3)
    inside = (..., slice(4, -4), slice(4, -4))  # black comes in from the border and is no place
    assert_close(torch.stack([dx, dy], dim=1)[inside], field[inside], rtol=0, atol=1e-3)
    assert_close(field.square().sum(dim=1).mean(dim=(1, 2)).sqrt(), torch.full((4,), alpha))
    assert_close(field.mean(dim=(2, 3)), torch.zeros(4, 2), rtol=0, atol=1e-5)


def test_elastic_warp_is_torchvisions_with_a_field_for_each_image(images):
    found = perturb.elastic_warp(images, 2.0, seed=5)
    field = arrows(len(images), (28, 28), 2.0, 4.0, 5)
    for image, changed, displacement in zip(images, found, field.permute(0, 2, 3, 1), strict=True):
        # torchvision counts the size of the image as 2, and takes x and y last.
        expected = transforms.elastic(image[None], displacement[None] * 2 / 28)[0]
        assert_close(changed, expected, rtol=0, atol=1e-5)
    many = perturb.elastic_warp(images[:1].expand(1100, -1, -1, -1), 2.0)  # more than one chunk
    assert_close(many[:500], perturb.elastic_warp(images[:1].expand(500, -1, -1, -1), 2.0))
    assert not torch.allclose(many[:500], many[500:1000], atol=0.1)


def test_the_arrows_are_as_long_at_the_border_as_in_the_middle_and_smoother_with_sigma():
    square = arrows(500, (28, 28), 1.0, 4.0, 1).square().sum(dim=1).mean(dim=0)  # (28, 28)
    for part in (square[10:18, 10:18], square[:, 0]):
        assert part.mean().sqrt().item() == pytest.approx(1, abs=0.15)
    fields = [arrows(20, (28, 28), 1.0, sigma, 1) for sigma in (1.0, 3.0, 6.0)]
    rough, smooth, smoother = ((field[..., 1:] - field[..., :-1]).abs().mean().item() for field in fields)
    assert rough > 2 * smooth > 2 * smoother


# --- a pen that skips, a pen that is thick ----------------------------------------------------------------------------


def test_erase_takes_whole_blocks_about_as_many_as_asked():
    left = perturb.erase(torch.ones(40, 3, 28, 28), 0.2, seed=4)
    blocks = left.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    assert torch.equal(blocks.amin(4), blocks.amax(4))
    assert torch.equal(left, left[:, :1].expand_as(left))  # the same gaps in every channel
    assert left.mean().item() == pytest.approx(0.8, abs=0.01)  # of 7,840 blocks
    assert not torch.equal(left[0], left[1])
    assert perturb.erase(torch.ones(1, 1, 5, 7), 0.5).shape == (1, 1, 5, 7)
    assert perturb.erase(torch.ones(1, 1, 5, 7), 1).sum() == 0


def test_thicken_against_a_loop():
    image = torch.rand(1, 1, 5, 4)
    thick = perturb.thicken(image)
    for row in range(5):
        for column in range(4):
            around = image[0, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            assert thick[0, 0, row, column] == around.max()


# --- noise and blur ---------------------------------------------------------------------------------------------------


def test_noise_has_its_mean_and_standard_deviation_on_grey_and_is_clipped_on_black_and_white():
    added = perturb.noise(torch.full((50, 1, 28, 28), 0.5), 0.1) - 0.5
    assert added.mean().item() == pytest.approx(0, abs=0.003)
    assert added.std().item() == pytest.approx(0.1, rel=0.02)
    assert not torch.equal(added[0], added[1])
    black = perturb.noise(torch.zeros(50, 1, 28, 28), 0.2)
    assert black.min() == 0 and (black == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert perturb.noise(torch.ones(1, 1, 28, 28), 0.2).max() == 1
    with pytest.raises(ValueError, match="from 0 to 1, got 255 to 255"):
        perturb.noise(torch.full((1, 1, 4, 4), 255.0), 0.1)


def test_blur_against_a_loop():
    """The definition: every pixel is the mean of its neighbours under a Gaussian, the image mirrored at its border."""
    image = torch.rand(7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    steps = range(-3, 4)
    weights = [math.exp(-(step**2) / (2 * 0.8**2)) for step in steps]
    expected = torch.zeros_like(image)
    for row in range(7):
        for column in range(9):
            for dy, down in zip(steps, weights, strict=True):
                for dx, across in zip(steps, weights, strict=True):
                    expected[row, column] += down * across * image[mirrored(row + dy, 7), mirrored(column + dx, 9)]
    assert_close(perturb.blur(image[None, None], 0.8)[0, 0], expected / sum(weights) ** 2, rtol=0, atol=1e-6)


def mirrored(place, size):
    place = abs(place)
    return place if place < size else 2 * (size - 1) - place


@pytest.mark.parametrize(("height", "width", "widest"), [(28, 28, 9), (28, 6, 1.6)])
def test_the_widest_sigma_that_the_error_names_works(height, width, widest):
    image = torch.ones(1, 1, height, width)
    assert_close(perturb.blur(image, widest), image)
    for change in (perturb.blur, lambda image, sigma: perturb.elastic_warp(image, 1, sigma)):
        with pytest.raises(ValueError, match=f"{height} high and {width} wide.* at most {widest}"):
            change(image, widest + 0.1)
    for sigma in (0, -4):
        with pytest.raises(ValueError, match=f"sigma .* above 0, got {sigma}"):
            perturb.elastic_warp(image, 1, sigma)


# --- random affine ----------------------------------------------------------------------------------------------------

LIMITS = {"max_rotation": 30, "max_scale": 0.3, "max_shear": 0.4, "max_shift": 3}


def random_affine(images, seed=3, **options):
    return perturb.random_affine(images, torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize(
    "names",
    [[], ["max_rotation"], ["max_shift"], ["max_shear"], ["max_rotation", "max_scale", "max_shift"]],
    ids="+".join,
)
def test_random_affine_is_torchvisions_image_by_image(names):
    images = torch.rand(6, 2, 20, 28)
    rotation, scale, shear, shift = (LIMITS[name] if name in names else 0 for name in LIMITS)
    drawn = torch.rand(5, len(images), generator=torch.Generator().manual_seed(3)) * 2 - 1
    found = random_affine(images, **{name: LIMITS[name] for name in names})
    for image, changed, (a, s, k, x, y) in zip(images, found, drawn.T.tolist(), strict=True):
        expected = transforms.affine(
            image,
            angle=-a * rotation,  # torchvision's affine counts clockwise
            translate=[x * shift, y * shift],
            scale=1 + s * scale,
            shear=[math.degrees(math.atan(k * shear)), 0],
            interpolation=InterpolationMode.BILINEAR,
        )
        assert_close(changed, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 29)])
def test_our_grid_is_torchs(height, width):
    matrices = torch.rand(5, 2, 3)
    expected = F.affine_grid(matrices, [5, 1, height, width], align_corners=False)
    assert_close(perturb._affine_grid(matrices, height, width), expected, rtol=0, atol=1e-6)


def test_random_affine_of_a_part_is_the_part_of_the_whole():
    """Two processes change their shares of a batch as one changes the whole."""
    images = torch.rand(7, 1, 28, 28)
    whole = random_affine(images, **LIMITS)
    for places in (range(0, 7, 2), range(1, 7, 2)):
        assert torch.equal(random_affine(images[places], **LIMITS, places=places), whole[places])


@pytest.mark.parametrize("name", LIMITS)
def test_random_affine_refuses_an_amount(name):
    for value in (-0.1, math.nan, math.inf, *([1.0] if name == "max_scale" else [])):
        with pytest.raises(ValueError, match=f"{name} .* got {value:g}"):
            random_affine(torch.rand(1, 1, 28, 28), **{name: value})
