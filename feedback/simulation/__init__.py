"""What asking the right items is worth on one's own labelled data, measured before it is relied on."""
