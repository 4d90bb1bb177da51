"""The database of decisions and feedback: its tables, its migrations, and the connection to it."""
