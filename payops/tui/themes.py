"""Three themes of our own; Textual's are in the palette too."""

from __future__ import annotations

from textual.theme import Theme

DEFAULT = "payops-dark"

THEMES: tuple[Theme, ...] = (
    Theme(
        name="payops-dark",
        primary="#7aa2d8",
        secondary="#8a94a6",
        warning="#e0b050",
        error="#f07178",
        success="#7fbf7f",
        accent="#7aa2d8",
        foreground="#d5d9e0",
        background="#14171c",
        surface="#1b1f26",
        panel="#262b34",
        dark=True,
    ),
    Theme(
        name="payops-light",
        primary="#1f5fa8",
        secondary="#5b6472",
        warning="#8a5a00",
        error="#b3202c",
        success="#1f6b2f",
        accent="#1f5fa8",
        foreground="#1d2129",
        background="#fbfbfa",
        surface="#f1f1ef",
        panel="#e2e3e1",
        dark=False,
    ),
    Theme(
        name="payops-contrast",
        primary="#ffffff",
        secondary="#ffffff",
        warning="#ffff00",
        error="#ff8080",
        success="#80ff80",
        accent="#00ffff",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#303030",
        dark=True,
        text_alpha=1.0,
    ),
)
