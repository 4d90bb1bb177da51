"""Load tests with locust: users, shapes, objectives, summary."""
