"""The models behind heads that are our own: linear, logistic, boosted, blended."""
