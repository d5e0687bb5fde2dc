"""Public data sets, folders and manifests. One file is one set: it reads the set's own published layout."""
