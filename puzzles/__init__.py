"""What a puzzle is: encode, decode, check, verify, symmetries. Knows no network, no HTTP."""
