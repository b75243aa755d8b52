"""For the people who run it: alerts, a digest, and what Dagster keeps of old runs."""
