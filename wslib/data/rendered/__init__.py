"""The sample sets, drawn by code in the layouts of the real ones."""
