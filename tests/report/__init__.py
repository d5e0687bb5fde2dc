"""Tests of the writers, on one rich fabricated report."""
