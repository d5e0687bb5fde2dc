"""From findings to four answers: fusion, likelihood ratios from a calibration file, and the words they allow."""
