"""Measuring tools on plain arrays: no files, no models, nothing above `types`."""
