"""What surrounds each route: deadlines, API keys, admission, problem documents, telemetry."""
