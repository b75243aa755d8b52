"""One engine, two schemas: LeaseUp's tables, which we never alter, and our own ledgers.

Comes in: DATABASE_URL. Goes out: an engine whose database was checked, and the tables as
SQLAlchemy knows them. Never: DDL outside the schema `leaseup_dagster`.
"""
