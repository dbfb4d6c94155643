"""Cells vote: votes, conformal sets, metrics and evaluation of held-out predictions."""

from cellvote.voting.evaluation import evaluate_predictions
from cellvote.voting.vote import VoteSettings, vote

__all__ = ["VoteSettings", "evaluate_predictions", "vote"]
