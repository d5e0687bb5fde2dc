"""The local page and the JSON service: one FastAPI application, pictures held in memory only."""
