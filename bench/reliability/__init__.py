"""Claims of reliability, each tried by a script that says whether it held."""
