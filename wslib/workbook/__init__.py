"""From chapters to notebooks to the report. Knows nothing of computer vision.

Five parts; each imports only from those above it.

    sources     what an author writes: chapters, parameters, the book's own file
    runs        chapters to executed notebooks: kept, recorded, or many at once
    report      executed notebooks to the web book, the PDF and what is handed out
    notebooks   one chapter to take along: a notebook for Colab, or slides
    preview     the book in a browser while it is written
"""
