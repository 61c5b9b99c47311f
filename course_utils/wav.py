"""Samples of WAV files, also of those whose header was never finished: a pipe's, or a killed recorder's."""

import os
from typing import IO, NamedTuple

import numpy as np

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # how samples are written; RFC 2361 lists these codes
BYTE_ORDER = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
RATES = range(1000, 1_000_000)  # samples a second; a header that says anything else is damaged
OTHER_KINDS = {  # by what such a file begins with, some after a length of four bytes
    b"ID3": "an MP3 file",
    b"\xff\xfe": "a text file",
    b"\xff": "an MP3 or AAC file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"ftyp": "an M4A or MP4 file",
    b"FORM": "an AIFF file",
    b"caff": "a CAF file",
    b"\x1aE\xdf\xa3": "a WebM file",
    b"#!AMR": "an AMR file",
    b"0&\xb2u": "a WMA file",
    b"riff": "a Wave64 file",
    b".snd": "an AU file",
    b"PK\x03\x04": "a ZIP archive",
    b"<": "a web page",
}


class Format(NamedTuple):
    """What a `fmt ` chunk says."""

    order: str  # of the bytes, as NumPy writes it
    code: int
    channels: int
    rate: int
    width: int  # bytes of one sample


def read(file: str | os.PathLike | IO[bytes]) -> tuple[int, np.ndarray]:
    """Samples a second, and the samples (T, channels), float64, full scale at ±1.

    Reads integers of 8 to 64 bits, floating point, A-law and μ-law. Where the header gives no size of the sound, or
    one beyond the end of the file, the sound goes on to that end. Raises `ValueError`, saying why, for what is no WAV
    file or holds no samples, and `OSError` for what can't be opened.
    """
    content = _bytes(file)
    if not (content[:4] in BYTE_ORDER and content[8:12] == b"WAVE"):
        raise ValueError(f"it is {_kind(content)}, not a WAV file. Save or convert it as WAV (PCM, 16 bits)")
    chunks = _chunks(content, BYTE_ORDER[content[:4]])
    if b"fmt " not in chunks or b"data" not in chunks:
        raise ValueError("it is a damaged WAV file: its header ends before the sound begins")
    form = _format(chunks[b"fmt "], BYTE_ORDER[content[:4]])
    samples = _samples(chunks[b"data"], form)
    if not len(samples):
        raise ValueError("it holds no samples: the recording is empty")
    return form.rate, samples


def _bytes(file: str | os.PathLike | IO[bytes]) -> bytes:
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            return opened.read()
    return file.read()


def _kind(content: bytes) -> str:
    """What a file that is no WAV file seems to be."""
    start = content[:16].lstrip()
    for mark, kind in OTHER_KINDS.items():
        if start.startswith(mark) or content[4:8] == mark:
            return kind
    return "something else" if content else "an empty file"


def _chunks(content: bytes, order: str) -> dict[bytes, bytes]:
    """The first chunk of each name; one whose size can't be true goes on to the end of the file."""
    chunks, place = {}, 12
    while place + 8 <= len(content):
        name, size = content[place : place + 4], _whole(content[place + 4 : place + 8], order)
        if name == b"data" and size == 0xFFFFFFFF and b"ds64" in chunks:  # RF64: 64-bit sizes, EBU Tech 3306
            size = _whole(chunks[b"ds64"][8:16], order)
        place += 8
        if name == b"data" and size == 0 and not _goes_on(content[place:], order):
            size = len(content)
        chunks.setdefault(name, content[place : place + size])
        place += size
        if size % 2 and content[place : place + 1] == b"\0":  # a pad byte, which some writers forget
            place += 1
    return chunks


def _goes_on(rest: bytes, order: str) -> bool:
    """Whether `rest` is nothing or another chunk, and not samples: a name, and a size within the file."""
    return not rest or (rest[:4].isalnum() and len(rest) >= 8 + _whole(rest[4:8], order))


def _whole(field: bytes, order: str) -> int:
    return int.from_bytes(field, "little" if order == "<" else "big")


def _format(chunk: bytes, order: str) -> Format:
    code, channels, rate, _, block, bits = (
        _whole(chunk[start:end], order) for start, end in ((0, 2), (2, 4), (4, 8), (8, 12), (12, 14), (14, 16))
    )
    if code == EXTENSIBLE:
        code = _whole(chunk[24:26], order)  # the true one begins the 16 bytes of a GUID
    width = -(-bits // 8)  # rounded up
    if channels and block % channels == 0 and block // channels > width:
        width = block // channels  # fewer bits in a wider sample
    if code not in (PCM, FLOAT, A_LAW, MU_LAW):
        raise ValueError(f"its sound is compressed (format {code} of WAV). Save or convert it as PCM, 16 bits")
    if not channels or rate not in RATES or (code, width) not in DECODERS:
        raise ValueError(
            f"it is a damaged WAV file: its header says {channels} channels, {rate:,} samples a second and {bits} bits"
        )
    return Format(order, code, channels, rate, width)


def _samples(data: bytes, form: Format) -> np.ndarray:
    """(T, channels), float64; a last moment that is not whole is left out."""
    block = form.channels * form.width
    whole = data[: len(data) // block * block]
    return DECODERS[form.code, form.width](whole, form.order).reshape(-1, form.channels)


def _integers(width: int):
    def decode(data: bytes, order: str) -> np.ndarray:
        return np.frombuffer(data, f"{order}i{width}") / 2.0 ** (8 * width - 1)

    return decode


def _bytes_from_128(data: bytes, order: str) -> np.ndarray:
    return (np.frombuffer(data, np.uint8) - 128.0) / 128


def _three_bytes(data: bytes, order: str) -> np.ndarray:
    triples = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, :: 1 if order == "<" else -1]
    return _integers(4)(np.pad(triples, ((0, 0), (1, 0))).tobytes(), "<")  # a zero byte below: 32 bits


def _floats(width: int):
    def decode(data: bytes, order: str) -> np.ndarray:
        return np.frombuffer(data, f"{order}f{width}").astype(np.float64)

    return decode


def _a_law(data: bytes, order: str) -> np.ndarray:
    """ITU-T G.711: a sign, three bits of exponent and four of mantissa, every second bit inverted."""
    code = np.frombuffer(data, np.uint8).astype(np.int64) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    size = np.where(exponent == 0, 2 * mantissa + 1, (2 * mantissa + 33) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size) / 4096


def _mu_law(data: bytes, order: str) -> np.ndarray:
    """ITU-T G.711: a sign, three bits of exponent and four of mantissa, all inverted."""
    code = ~np.frombuffer(data, np.uint8).astype(np.int64) & 0xFF
    size = ((2 * (code & 15) + 33) << (code >> 4 & 7)) - 33
    return np.where(code & 0x80, -size, size) / 8192


DECODERS = {
    (PCM, 1): _bytes_from_128,
    (PCM, 3): _three_bytes,
    (A_LAW, 1): _a_law,
    (MU_LAW, 1): _mu_law,
    **{(PCM, width): _integers(width) for width in (2, 4, 8)},
    **{(FLOAT, width): _floats(width) for width in (2, 4, 8)},
}
