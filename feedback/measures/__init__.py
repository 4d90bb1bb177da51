"""What the record says of the model: live precision, drift, and the shadow beside the champion."""
