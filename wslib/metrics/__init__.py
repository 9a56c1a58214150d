"""Predictions and truth in, numbers out; knows no dataset and no model."""
