"""Where a picture comes from: an archive is indexed once, then asked for the picture's original and for the pictures
that parts of it were taken from, and every answer is proved by points a person can check, or said not to be."""
