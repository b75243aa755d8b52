"""A job in a shell, for a person: its run as Dagster keeps it, shown in a few lines and a sentence.

Comes in: a job's name and its run's config. Goes out: a run in Dagster's storage, as `dagster job
execute` leaves it; lines of progress; the sentence that helps.
Never: a stack trace, or a sentence of Dagster's where there is one of ours.
"""
