"""What a provider's API version says about the shape of what it sends."""

from __future__ import annotations

from collections.abc import Mapping

from .payments import Provider

READS: Mapping[Provider, str] = {"stripe": "2026-10-28.endive"}
"""The version payops reads where the configuration names no other; providers without versions are left out."""


def release(version: str) -> str:
    """What must agree for two versions to have one shape: the name of the release (`endive`), the date where it has none."""
    return version.partition(".")[2] or version


def differ(one: str, other: str) -> bool:
    """Whether objects of one version may be shaped unlike those of the other."""
    return release(one) != release(other)
