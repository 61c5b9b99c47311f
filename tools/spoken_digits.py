"""Make data/spoken_digits/spoken_digits.zip again: python -m tools.spoken_digits

Needs espeak-ng 1.51 on the path (Debian 12: `apt install espeak-ng`); another version speaks otherwise. Takes a minute
or two. Every voice is one of espeak-ng's variants. Of variants that sound alike only one is used, and a voice is in
one split only, whatever its accent.
"""

import io
import random
import re
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.io import wavfile
from scipy.signal import stft
from scipy.spatial.distance import pdist

from course_utils.data import data_root
from course_utils.sound import ARCHIVE, LENGTH, RATE, framed, read_wav

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# "en" is British English; espeak-ng knows it as "en-gb" too, and then forgets the voice.
BRITAIN = ["en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd"]
ACCENTS = ["en-us", "en-us-nyc", *BRITAIN, "en-029"]
SPEEDS = (130, 190)  # words a minute, lowest and highest
PITCHES = (30, 70)  # of espeak-ng's 0 to 99
TAKES = 3  # of each digit by each voice, each with an accent, a speed and a pitch of its own
SEED = 2017
VALIDATION_VOICES, TEST_VOICES = 8, 16
ALIKE = 0.3  # nepers, root mean square over the spectrogram: 2.6 dB
TOO_SLOW = {"Marco"}  # says some digits in more than a second


def speak(word: str, voice: str, accent: str = "en-us", speed: int = 175, pitch: int = 50) -> np.ndarray:
    """What espeak-ng says, (T,), float32, trimmed, 8,000 samples a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        options = ["-v", f"{accent}+{voice}", "-s", str(speed), "-p", str(pitch), "-w", str(path)]
        subprocess.run(["espeak-ng", *options, word], check=True, capture_output=True)
        return read_wav(path)


def all_variants() -> list[str]:
    listed = subprocess.run(["espeak-ng", "--voices=variant"], check=True, capture_output=True, text=True).stdout
    return sorted(re.findall(r"!v/(\S+(?: \S+)*)", listed))  # names may hold a space; two end them


def log_spectrogram(wave: np.ndarray) -> np.ndarray:
    magnitudes = np.abs(stft(framed(wave), RATE, nperseg=256)[2])
    return np.log(magnitudes + 1e-3).ravel()


def distinct(voices: list[str]) -> list[str]:
    """One voice of each group of voices that sound alike: groups are linked by distances below `ALIKE`."""
    sound = np.stack([np.concatenate([log_spectrogram(speak(word, voice)) for word in WORDS]) for voice in voices])
    distances = pdist(sound) / sound.shape[1] ** 0.5
    groups = fcluster(linkage(distances, "single"), ALIKE, "distance")
    first = dict(zip(reversed(groups), reversed(voices), strict=True))  # the first of each, by the alphabet
    return sorted(first.values())


def split_of(voices: list[str], chance: random.Random) -> dict[str, str]:
    """The split of each voice."""
    order = chance.sample(voices, len(voices))
    return {
        voice: "test" if place < TEST_VOICES else "validation" if place < TEST_VOICES + VALIDATION_VOICES else "train"
        for place, voice in enumerate(order)
    }


def main() -> None:
    chance = random.Random(SEED)
    splits = split_of(distinct([voice for voice in all_variants() if voice not in TOO_SLOW]), chance)
    with zipfile.ZipFile(data_root() / ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for voice in sorted(splits):
            for take in range(TAKES):
                for digit, word in enumerate(WORDS):
                    wave = speak(word, voice, chance.choice(ACCENTS), chance.randint(*SPEEDS), chance.randint(*PITCHES))
                    assert len(wave) <= LENGTH, f"{voice} says {word} in more than a second"
                    name = f"{splits[voice]}/{digit}_{voice.replace(' ', '-')}_{take}.wav"
                    said = io.BytesIO()
                    wavfile.write(said, RATE, np.uint8(np.round(127 * wave) + 128))  # 8 bits: half the size of 16
                    entry = zipfile.ZipInfo(name)  # dated 1980, so that the same sounds give the same file
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, said.getvalue(), compresslevel=9)


if __name__ == "__main__":
    main()
