"""How Alembic reaches the history: by the connection that `reports.history.schema` has opened and locked."""

from alembic import context

from reports.history.schema import VERSION_TABLE
from reports.history.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
