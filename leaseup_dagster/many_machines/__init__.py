"""Steps on several machines, with PostgreSQL and a broker between them. Knows no lease."""
