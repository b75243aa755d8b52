"""Who owes how much, for how long: as it stood at the end of any day.

Comes in: invoices and payments. Goes out: sums by age, by landlord and by month; a picture.
Never: a row that is written.
"""
