"""Images changed on purpose, each against a loop, arithmetic or a slower way to the same images."""

import math

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from course_utils import load_mnist, perturb
from course_utils.perturb import shift


def _shift_by_loop(images: torch.Tensor, dx: int, dy: int) -> torch.Tensor:
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
    images = torch.rand(shape) + 0.1  # nothing black in it
    height, width = shape[-2:]
    for dx in range(1 - width, width):
        for dy in range(1 - height, height):
            assert torch.equal(shift(images, dx, dy), _shift_by_loop(images, dx, dy)), (dx, dy)


def test_one_pixel_goes_right_and_down():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 1] = 1
    assert shift(image, dx=2, dy=-1).nonzero().tolist() == [[0, 0, 1, 3]]


def test_no_shift_changes_nothing_and_the_argument_is_never_changed():
    images = torch.rand(2, 1, 4, 4)
    before = images.clone()
    assert torch.equal(shift(images, 0, 0), before)
    shift(images, 1, 1)[:] = 7
    assert torch.equal(images, before)


@pytest.mark.parametrize(("dx", "dy"), [(7, 0), (-7, 0), (0, 4), (0, -4), (100, 100)])
def test_a_shift_that_leaves_nothing(dx, dy):
    with pytest.raises(ValueError) as caught:
        shift(torch.ones(2, 1, 4, 7), dx, dy)
    for said in (f"dx={dx}", f"dy={dy}", "4 high", "7 wide", "|dx| < 7", "|dy| < 4"):
        assert said in str(caught.value)


ALL = {
    "rotate": lambda images: perturb.rotate(images, 10),
    "scale": lambda images: perturb.scale(images, 1.2),
    "elastic_warp": lambda images: perturb.elastic_warp(images, 1.0, sigma=1.5),
    "noise": lambda images: perturb.noise(images, 0.1),
    "blur": lambda images: perturb.blur(images, 0.7),
}


@pytest.fixture(scope="module")
def images():
    return load_mnist().test[:20][0]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(20, 1, 28, 28), (3, 2, 9, 14), (0, 1, 28, 28)])
def test_shape_and_type_stay_and_the_input_is_not_changed(name, shape):
    before = torch.rand(shape)
    given = before.clone()
    found = ALL[name](given)
    assert found.shape == before.shape and found.dtype == torch.float32
    assert torch.equal(given, before)
    if len(before):
        assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6 and not torch.allclose(found, before)


@pytest.mark.parametrize(
    "unchanged",
    [
        lambda images: perturb.rotate(images, 0),
        lambda images: perturb.rotate(images, 360),
        lambda images: perturb.scale(images, 1),
        lambda images: perturb.elastic_warp(images, 0),
        lambda images: perturb.noise(images, 0),
        lambda images: perturb.blur(images, 0),
    ],
)
def test_no_change_where_none_is_asked_for(images, unchanged):
    torch.testing.assert_close(unchanged(images), images, rtol=0, atol=2e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_rotation_by_quarter_turns_is_counter_clockwise(images, quarters):
    expected = torch.rot90(images, quarters, dims=(2, 3))  # from the first axis towards the second: see the next line
    assert torch.rot90(torch.tensor([[0, 1], [0, 0]])).tolist() == [[1, 0], [0, 0]]  # top right goes to top left
    torch.testing.assert_close(perturb.rotate(images, 90 * quarters), expected, rtol=0, atol=1e-4)


def test_a_small_rotation_against_the_formula():
    """One white pixel 8 to the right of the centre of a 21 by 21 image; its centre of mass turns by the angle."""
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 10, 18] = 1
    x, y = _centre_of_mass(perturb.rotate(image, 15))
    assert x == pytest.approx(8 * math.cos(math.radians(15)), abs=0.1)
    assert y == pytest.approx(8 * math.sin(math.radians(15)), abs=0.1)


@pytest.mark.parametrize("factor", [0.75, 1.5])
def test_scale_against_the_formula(factor):
    """A block 9 right of and 6 above the centre of a 61 by 61 image: place and size are multiplied."""
    image = torch.zeros(1, 1, 61, 61)
    image[0, 0, 20:29, 35:44] = 1  # 9 by 9 pixels about row 24 and column 39
    found = perturb.scale(image, factor)
    assert _centre_of_mass(found) == pytest.approx((9 * factor, 6 * factor), abs=0.2)
    assert found.sum().item() == pytest.approx(81 * factor**2, rel=0.1)


def _centre_of_mass(image):
    """(x, y) in pixels from the centre of one image (1, 1, H, W), y upwards."""
    height, width = image.shape[-2:]
    weights = image[0, 0] / image.sum()
    x = (weights.sum(dim=0) * (torch.arange(width) - (width - 1) / 2)).sum()
    y = -(weights.sum(dim=1) * (torch.arange(height) - (height - 1) / 2)).sum()
    return x.item(), y.item()


@pytest.mark.parametrize("alpha", [0.5, 2.0])
@pytest.mark.parametrize("size", [(28, 28), (20, 33)])
def test_elastic_warp_moves_pixels_by_alpha(alpha, size):
    """Two ramps, brightness = place: the change in brightness is the displacement, measured in the image itself."""
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    # The same seed draws the same field whatever the images hold.
    dx = width * (perturb.elastic_warp(columns.expand(4, 1, -1, -1), alpha, seed=3) - columns)[:, 0]
    dy = height * (perturb.elastic_warp(rows.expand(4, 1, -1, -1), alpha, seed=3) - rows)[:, 0]
    inside = (slice(None), slice(4, -4), slice(4, -4))  # black comes in from the border and is no place
    length = (dx[inside] ** 2 + dy[inside] ** 2).mean().sqrt()
    assert length.item() == pytest.approx(alpha, rel=0.2)
    field = _arrows(torch.zeros(4, 1, *size), alpha, 4.0, 3)
    torch.testing.assert_close(torch.stack([dx, dy], dim=1)[(slice(None), *inside)], _inside(field), rtol=0, atol=1e-3)
    exact = (field**2).sum(dim=1).mean(dim=(1, 2)).sqrt()
    torch.testing.assert_close(exact, torch.full((4,), alpha))
    torch.testing.assert_close(field.mean(dim=(2, 3)), torch.zeros(4, 2), rtol=0, atol=1e-5)


def _arrows(images, alpha, sigma, seed):
    return perturb._arrows(images, alpha, sigma, torch.Generator().manual_seed(seed))


def _inside(field):
    return field[:, :, 4:-4, 4:-4]


def test_elastic_warp_is_torchvisions_with_a_field_for_each_image(images):
    found = perturb.elastic_warp(images, 2.0, seed=5)
    field = _arrows(images, 2.0, 4.0, 5)
    for number in range(len(images)):
        # torchvision counts the size of the image as 2, and takes x and y last.
        displacement = (field[number : number + 1] * 2 / 28).permute(0, 2, 3, 1)
        expected = transforms.elastic(images[number : number + 1], displacement)
        torch.testing.assert_close(found[number : number + 1], expected, rtol=0, atol=1e-5)
    assert not torch.allclose(field[0], field[1], atol=0.1)


def test_the_arrows_are_as_long_in_the_middle_as_at_the_border():
    square = _arrows(torch.zeros(500, 1, 28, 28), 1.0, 4.0, 1).square().sum(dim=1).mean(dim=0)  # (28, 28)
    assert square[10:18, 10:18].mean().sqrt().item() == pytest.approx(1, abs=0.15)
    assert square[:, 0].mean().sqrt().item() == pytest.approx(1, abs=0.15)


def test_many_images_are_warped_as_few_are(images):
    """More than one chunk: each image of its own field, the first ones as in a smaller batch."""
    many = perturb.elastic_warp(images[:1].expand(1100, -1, -1, -1), 2.0)
    torch.testing.assert_close(many[:500], perturb.elastic_warp(images[:1].expand(500, -1, -1, -1), 2.0))
    assert not torch.allclose(many[:500], many[500:1000], atol=0.1)


def test_a_larger_sigma_bends_more_smoothly():
    roughness = []
    for sigma in (1.0, 3.0, 6.0):
        field = _arrows(torch.zeros(20, 1, 28, 28), 1.0, sigma, 1)
        roughness.append((field[..., 1:] - field[..., :-1]).abs().mean().item())
    assert roughness[0] > 2 * roughness[1] > 2 * roughness[2]


def test_noise_has_its_mean_and_standard_deviation_on_grey():
    added = perturb.noise(torch.full((50, 1, 28, 28), 0.5), 0.1) - 0.5
    assert added.mean().item() == pytest.approx(0, abs=0.003)
    assert added.std().item() == pytest.approx(0.1, rel=0.02)
    assert not torch.equal(added[0], added[1])


def test_noise_is_clipped_on_black_and_white():
    black = perturb.noise(torch.zeros(50, 1, 28, 28), 0.2)
    assert black.min() == 0 and (black == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert perturb.noise(torch.ones(1, 1, 28, 28), 0.2).max() == 1


def test_blur_against_a_loop():
    """The definition: every pixel is the mean of its neighbours under a Gaussian, the image mirrored at its border."""
    image = torch.rand(7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sigma, reach = 0.8, 3
    weights = [math.exp(-(step**2) / (2 * sigma**2)) for step in range(-reach, reach + 1)]
    weights = [weight / sum(weights) for weight in weights]
    expected = torch.zeros_like(image)
    for row in range(7):
        for column in range(9):
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    place = _mirrored(row + dy, 7), _mirrored(column + dx, 9)
                    expected[row, column] += weights[dy + reach] * weights[dx + reach] * image[place]
    torch.testing.assert_close(perturb.blur(image[None, None], sigma)[0, 0], expected, rtol=0, atol=1e-6)


def _mirrored(place, size):
    place = abs(place)
    return place if place < size else 2 * (size - 1) - place


@pytest.mark.parametrize("change", [perturb.elastic_warp, perturb.noise])
def test_same_seed_same_images_and_torchs_random_state_is_left_alone(images, change):
    torch.manual_seed(0)
    expected_next = torch.rand(3)
    torch.manual_seed(0)
    first = change(images, 0.5, seed=7)
    assert torch.equal(torch.rand(3), expected_next)
    assert torch.equal(change(images, 0.5, seed=7), first)
    assert not torch.allclose(change(images, 0.5, seed=8), first)


def test_one_change_after_another(images):
    """Interpolation may leave 0..1 by a rounding error, and the next function must not refuse that."""
    for change in ALL.values():
        images = change(images)
    assert torch.isfinite(perturb.noise(perturb.blur(torch.ones(1, 1, 28, 28), 2.0), 0.1)).all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (torch.zeros(28, 28), ValueError, r"got \(28, 28\)\. .*images\[None, None\]"),
        (torch.zeros(5, 28, 28), ValueError, r"got \(5, 28, 28\)\. .*images\.unsqueeze\(1\)"),
        (torch.zeros(1, 1, 1, 28, 28), ValueError, r"\(N, C, H, W\), got \(1, 1, 1, 28, 28\)"),
        (torch.zeros(5, 1, 28, 28, dtype=torch.uint8), TypeError, r"torch\.uint8.*images\.float\(\) / 255"),
    ],
)
def test_images_of_another_kind_give_one_clear_error(name, wrong, error, says):
    with pytest.raises(error, match=says):
        ALL[name](wrong)


IMAGE = torch.zeros(1, 1, 28, 28)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: perturb.rotate(IMAGE, math.inf), "degrees must be a finite number, got inf"),
        (lambda: perturb.rotate(IMAGE, math.nan), "degrees must be a finite number, got nan"),
        (lambda: perturb.scale(IMAGE, 0), "factor must be a finite number above 0, got 0"),
        (lambda: perturb.scale(IMAGE, -1.5), "factor must be a finite number above 0, got -1.5"),
        (lambda: perturb.elastic_warp(IMAGE, -1), "alpha must be a finite number of at least 0, got -1"),
        (lambda: perturb.elastic_warp(IMAGE, 1, sigma=0), "sigma must be a finite number above 0, got 0"),
        (lambda: perturb.elastic_warp(IMAGE, 1, sigma=-4), "sigma must be a finite number above 0, got -4"),
        (lambda: perturb.elastic_warp(IMAGE, 1, sigma=20), "sigma=20 pixels is too wide .* at most 9"),
        (lambda: perturb.noise(IMAGE, -0.1), "std must be a finite number of at least 0, got -0.1"),
        (lambda: perturb.noise(IMAGE + 255, 0.1), "expected pixels from 0 to 1, got 255 to 255"),
        (lambda: perturb.blur(IMAGE, -1), "sigma must be a finite number of at least 0, got -1"),
        (lambda: perturb.blur(IMAGE[..., :6], 2), "too wide for images 28 high and 6 wide.* at most 1.6"),
    ],
)
def test_values_out_of_range_give_one_clear_error(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


def test_the_widest_sigma_that_the_error_names_works():
    assert torch.isfinite(perturb.blur(torch.rand(1, 1, 28, 6), 1.6)).all()
    assert torch.isfinite(perturb.blur(torch.rand(1, 1, 28, 28), 9)).all()


# --- random_affine ----------------------------------------------------------------------------------------------

LIMITS = {"max_rotation": 30, "max_scale": 0.3, "max_shear": 0.4, "max_shift": 3}


def _by_torchvision(images: torch.Tensor, seed: int, **limits: float) -> torch.Tensor:
    """Image by image, with the amounts drawn as `random_affine` draws them."""
    drawn = torch.rand(5, len(images), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    rotation, scale, shear, shift = (limits.get(name, 0) for name in LIMITS)
    results = []
    for image, (a, s, k, x, y) in zip(images, drawn.T.tolist(), strict=True):
        results.append(
            transforms.affine(
                image,
                angle=-a * rotation,  # torchvision's affine counts clockwise
                translate=[x * shift, y * shift],
                scale=1 + s * scale,
                shear=[math.degrees(math.atan(k * shear)), 0],
                interpolation=InterpolationMode.BILINEAR,
            )
        )
    return torch.stack(results)


@pytest.mark.parametrize(
    "names", [["max_rotation"], ["max_shift"], ["max_shear"], ["max_rotation", "max_scale", "max_shift"]], ids="+".join
)
def test_random_affine_is_torchvisions_image_by_image(names):
    images = torch.rand(6, 2, 20, 28)
    limits = {name: LIMITS[name] for name in names}
    changed = perturb.random_affine(images, torch.Generator().manual_seed(3), **limits)
    assert torch.allclose(changed, _by_torchvision(images, 3, **limits), atol=1e-4)


def test_random_affine_of_a_part_is_the_part_of_the_whole():
    """Two processes change their halves of a batch as one changes the whole."""
    images = torch.rand(6, 1, 28, 28)
    whole = perturb.random_affine(images, torch.Generator().manual_seed(3), **LIMITS)
    for rank in (0, 1):
        part = slice(rank, None, 2)
        half = perturb.random_affine(images[part], torch.Generator().manual_seed(3), **LIMITS, part=part)
        assert torch.equal(half, whole[part])


def test_random_affine_without_amounts_changes_nothing():
    images = torch.rand(3, 1, 28, 28)
    assert torch.allclose(perturb.random_affine(images, torch.Generator()), images, atol=1e-5)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_random_affine_refuses_an_amount(name, value):
    with pytest.raises(ValueError, match=name):
        perturb.random_affine(torch.rand(1, 1, 28, 28), torch.Generator(), **{name: value})


def test_random_affine_refuses_to_shrink_to_nothing():
    with pytest.raises(ValueError, match="max_scale must be below 1"):
        perturb.random_affine(torch.rand(1, 1, 28, 28), torch.Generator(), max_scale=1)
