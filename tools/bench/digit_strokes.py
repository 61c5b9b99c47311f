"""Drawings of the ten digits, made of lines and arcs: what a careful hand would draw on the pad."""

import math


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float, steps: int = 16) -> list:
    """Points on an ellipse about (x, y), from one angle to another, in degrees: 0 is right, 90 is down."""
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


DIGITS = {
    0: [arc(0.5, 0.5, 0.2, 0.33, -90, 270, 32)],
    1: [[(0.52, 0.15), (0.48, 0.85)]],
    2: [[*arc(0.5, 0.33, 0.2, 0.18, -170, 40), (0.3, 0.82), (0.74, 0.82)]],
    3: [[*arc(0.47, 0.33, 0.2, 0.17, -150, 90), *arc(0.47, 0.67, 0.22, 0.18, -90, 150)]],
    4: [[(0.35, 0.15), (0.28, 0.52), (0.72, 0.52)], [(0.66, 0.2), (0.62, 0.85)]],
    5: [[(0.7, 0.16), (0.37, 0.16), (0.34, 0.45), *arc(0.47, 0.63, 0.22, 0.2, -110, 140)]],
    6: [[(0.62, 0.13), (0.42, 0.4), *arc(0.5, 0.66, 0.18, 0.18, -160, 200, 24)]],
    7: [[(0.28, 0.18), (0.72, 0.18), (0.45, 0.85)]],
    8: [[*arc(0.5, 0.32, 0.16, 0.16, 90, 450, 24), *arc(0.5, 0.66, 0.19, 0.18, -90, 270, 24)]],
    9: [[*arc(0.5, 0.35, 0.18, 0.18, 0, 360, 24), (0.66, 0.55), (0.58, 0.87)]],
}


def resized(strokes: list, size: float, x: float, y: float) -> list:
    """The drawing `size` times as large, its upper left corner moved from (0, 0) to (x, y)."""
    return [[(x + size * px, y + size * py) for px, py in stroke] for stroke in strokes]
