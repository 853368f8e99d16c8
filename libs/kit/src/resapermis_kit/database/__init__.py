"""PostgreSQL: engine, transactions, single statements, migrations, commands that act once."""
