"""The `ponder` command line: thin commands over the packages, which are imported inside them."""
