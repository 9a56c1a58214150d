"""One chapter to take along: a notebook for Colab, or slides."""
