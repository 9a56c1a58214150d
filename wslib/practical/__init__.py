"""Idea 5: a class and a box for each picture."""
