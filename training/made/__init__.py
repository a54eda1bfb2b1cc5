"""Tasks that are made: rules of our own, each shown by as many pairs as training wants."""
