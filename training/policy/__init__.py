"""Which answers are accepted: thresholds with a stated confidence, costs, outliers."""
