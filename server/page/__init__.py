"""The web page at `/`, and the documentation of the API at `/docs`: files and their headers."""
