"""What a run or a standing world does, while it does it: read from its folder as it grows."""
