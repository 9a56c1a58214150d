"""The book in a browser while it is written."""
