"""Data: files on disk to images, labels, boxes and masks."""
