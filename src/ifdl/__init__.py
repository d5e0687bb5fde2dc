"""Image forgery detection, localisation and explanation."""

__version__ = "0.1.0"
