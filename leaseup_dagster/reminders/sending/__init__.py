"""Overdue invoices → texts, at most one for each invoice, tenant and step."""
