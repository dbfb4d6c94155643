"""CellVote."""
