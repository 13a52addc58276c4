"""Composes the simulated world with the engine: headless in stepped time, or with the screen in real time."""
