"""What an author writes: chapters, parameters, the book's own file."""
