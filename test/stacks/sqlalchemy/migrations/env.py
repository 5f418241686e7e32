import sys

from alembic import context
from sqlalchemy import create_engine

sys.path.insert(0, ".")
from model import URL, Base  # noqa: E402

with create_engine(URL).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
