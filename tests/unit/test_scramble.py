"""Scrambled pixels and pixels lost at the edge, against plain Python."""

import torch

from course_utils.perturb import pixels_lost, scramble


def test_scramble_moves_every_image_by_the_same_permutation():
    places = torch.arange(4 * 7.0).view(1, 1, 4, 7)
    images = torch.cat([places, 100 + places])
    scrambled = scramble(images, seed=3)
    assert scrambled.shape == images.shape
    assert sorted(scrambled[0].flatten().tolist()) == list(range(28))
    assert torch.equal(scrambled[1], scrambled[0] + 100)
    assert not torch.equal(scrambled[0], images[0])


def test_scramble_is_fixed_by_its_seed_and_leaves_torchs_random_state_alone():
    images = torch.rand(2, 1, 28, 28)
    before = torch.random.get_rng_state()
    assert torch.equal(scramble(images, seed=1), scramble(images, seed=1))
    assert not torch.equal(scramble(images, seed=1), scramble(images, seed=2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(scramble(images[1, 0], seed=1), scramble(images, seed=1)[1, 0])


def test_pixels_lost_against_counting_by_hand():
    image = torch.tensor([[0.0, 0.0, 0.0, 0.5], [0.0, 0.2, 0.0, 0.9], [0.0, 0.0, 0.0, 0.0]])
    images = torch.stack([image, torch.zeros(3, 4)])[:, None]
    expected = {(0, 0): 0, (1, 0): 2, (2, 0): 2, (3, 0): 3, (-1, 0): 0, (-2, 0): 1, (0, -1): 1, (0, 1): 0, (1, 1): 2}
    for (dx, dy), count in expected.items():
        assert pixels_lost(images, dx, dy).tolist() == [count, 0], (dx, dy)
