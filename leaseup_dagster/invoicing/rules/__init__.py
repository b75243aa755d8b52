"""Pure rules of billing: due dates, references, the reasons for skipping a lease, limits of a
run."""
