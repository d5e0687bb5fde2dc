"""Shared building blocks of trainable systems."""
