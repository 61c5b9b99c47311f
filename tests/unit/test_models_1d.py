"""The networks for sound and text: shapes, counts, what they are invariant to, and that `fit` trains them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import ShortTimeFFT, get_window
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from course_utils import ORIGINAL, count_parameters, evaluate, fit
from course_utils.models import SoundCNN, SpectrogramCNN, TextCNN, dense_of_size, log_spectrogram
from course_utils.perturb import shift
from course_utils.text import CHARACTERS, encode


@pytest.mark.parametrize(
    ("model", "parameters"),
    [(SoundCNN, 45_546), (lambda: SoundCNN(head="flatten"), 54_506), (SpectrogramCNN, 28_538)],
)
def test_sound_networks(model, parameters):
    network = model()
    assert network(torch.randn(3, 1, 8000)).shape == (3, 10)
    assert count_parameters(network) == parameters


@pytest.mark.parametrize("model", [SoundCNN, SpectrogramCNN])
@pytest.mark.parametrize(
    ("waves", "error", "said"),
    [
        (torch.zeros(3, 8000), ValueError, r"waves.unsqueeze\(1\)"),
        (torch.zeros(8000), ValueError, r"waves\[None, None\]"),
        (torch.zeros(3, 1, 7999), ValueError, r"got \(3, 1, 7999\)"),
        (torch.zeros(3, 2, 8000), ValueError, r"got \(3, 2, 8000\)"),
        (torch.zeros(3, 1, 8000, dtype=torch.int16), TypeError, "float32"),
    ],
)
def test_wrong_waves(model, waves, error, said):
    with pytest.raises(error, match=said):
        model()(waves)


def test_wrong_head():
    with pytest.raises(ValueError, match="there is no head 'mean'"):
        SoundCNN(head="mean")


def test_global_head_is_invariant_to_shifts_by_the_product_of_its_strides_and_flatten_is_not():
    waves = F.pad(torch.randn(4, 1, 2000), (3000, 3000))
    torch.manual_seed(0)
    for head, same in (("global", True), ("flatten", False)):
        network = SoundCNN(head=head).eval()
        with torch.inference_mode():
            moved = network(shift(waves, 8 * 4 * 4 * 4, 0))
            assert torch.allclose(moved, network(waves), atol=1e-5) == same


def test_log_spectrogram_is_scipys():
    waves = torch.randn(2, 1, 8000, dtype=torch.float64)
    scipys = ShortTimeFFT(get_window("hann", 256), hop=128, fs=8000)
    padded = np.pad(waves[1, 0].numpy(), 128, mode="reflect")  # torch.stft mirrors at both ends
    expected = np.log(np.abs(scipys.stft(padded)) + 0.01)
    found = log_spectrogram(waves)
    assert found.shape == (2, 1, 129, 63)
    assert np.abs(found[1, 0].numpy() - expected[:, 1:64]).max() < 1e-4  # scipy's first window lies before the wave


def test_text_network_is_counts_of_trigrams_it_found():
    torch.manual_seed(0)
    network = TextCNN(CHARACTERS, languages=12, filters=7)
    texts = encode(["abc", "Łódź"])
    responses = F.conv1d(texts, network.conv.weight, network.conv.bias, padding=1)
    expected = F.linear(responses.clamp(min=0).max(dim=2).values, network.out.weight, network.out.bias)
    assert torch.allclose(network(texts), expected, atol=1e-6)
    assert count_parameters(network) == 7 * (3 * CHARACTERS + 1) + 12 * (7 + 1)
    with pytest.raises(ValueError, match=f"expected texts of shape .N, {CHARACTERS}, L"):
        network(texts.transpose(1, 2))


@pytest.mark.parametrize(("parameters", "inputs", "outputs"), [(45_546, 8000, 10), (27_020, 1584, 12), (100, 3, 2)])
def test_dense_of_size_has_at_least_as_many(parameters, inputs, outputs):
    network = dense_of_size(parameters, inputs, outputs)
    assert network(torch.zeros(5, 1, inputs)).shape == (5, outputs)
    assert parameters <= count_parameters(network) < parameters + inputs + 1 + outputs


@pytest.mark.parametrize("model", [SoundCNN, SpectrogramCNN])
def test_fit_trains_on_waves(model):
    time = torch.arange(8000) / 8000
    waves = torch.stack([torch.sin(6.2832 * 200 * 2**pitch * time + phase) for pitch in range(4) for phase in range(8)])
    data = TensorDataset(waves.unsqueeze(1), torch.arange(4).repeat_interleave(8))  # four tones, an octave apart
    torch.manual_seed(0)
    network = model()
    recipe = replace(ORIGINAL, batch_size=8, epochs=6, learning_rate=1e-2)
    history = fit(network, data, recipe)
    assert len(history.step_loss) == 24
    assert evaluate(network, data) > 0.9
    for parameter in network.parameters():
        assert parameter.is_contiguous()
