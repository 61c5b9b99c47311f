"""Experiments that take longer than a notebook may: `python -m experiments NAME` stores results/NAME.json."""
