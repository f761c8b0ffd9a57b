"""Troth: lets a device give its word, and lets its owner check it against the law."""

__version__ = "0.1.0"
