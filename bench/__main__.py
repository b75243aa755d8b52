"""Every figure, one after the other."""

from bench import cold_start, history, invoices, planning

if __name__ == "__main__":
    planning.main()
    invoices.main()
    history.main()
    cold_start.main()
