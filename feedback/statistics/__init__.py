"""What the record says, always with its uncertainty: functions of arrays, with NumPy alone."""
