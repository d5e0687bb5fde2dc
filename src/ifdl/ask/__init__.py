"""Questions about regions: a box, a polygon or a mask, and what every test says of it."""
