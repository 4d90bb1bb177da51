"""What decides about versions: the champion that serves, the shadow beside it, and the evidence for a change."""
