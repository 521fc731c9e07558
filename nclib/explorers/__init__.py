"""Pictures to play with: plain pages of their own, without a network."""
