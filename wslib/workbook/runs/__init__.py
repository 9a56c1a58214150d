"""Chapters to executed notebooks: kept, recorded, or many at once."""
