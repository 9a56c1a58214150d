"""The rendered sample set, drawn by code: animals, people, things and their scenes."""
