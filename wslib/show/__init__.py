"""Numbers to tables, arrays to figures."""
