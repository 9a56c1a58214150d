"""From chapters to notebooks to the report. Knows nothing of computer vision."""
