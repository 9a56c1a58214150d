"""Executed notebooks to the web book, the PDF and what is handed out."""
