"""Every figure, one after the other."""

from bench import cold_start, history, invoices, limit, planning, reminders

if __name__ == "__main__":
    planning.main()
    invoices.main()
    reminders.main()
    limit.main()
    history.main()
    cold_start.main()
