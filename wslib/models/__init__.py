"""Networks: images to logits, feature maps, boxes or masks."""
