"""What a head learns from answers: its old rows and the answered ones, refitted, judged and written."""
