"""The service and other servers under the same load: rounds, growth, precisions, tuning."""
