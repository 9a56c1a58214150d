"""Idea 4: heat maps to points, points to masks."""
