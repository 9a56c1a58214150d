"""Loops, losses, runs that are kept and resumed, trackers."""
