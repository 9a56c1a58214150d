"""Idea 2: heat maps to scored boxes."""
