"""A column that is filled and then required, a column that goes, a foreign key."""

import sqlalchemy as sa
from alembic import op

revision = "two"
down_revision = "one"


def upgrade():
    op.add_column("customers", sa.Column("team_id", sa.Integer))
    op.execute("UPDATE customers SET team_id = 1 + mod(id, 2)")
    op.alter_column("customers", "team_id", nullable=False)
    op.create_foreign_key("customers_team", "customers", "teams", ["team_id"], ["id"])
    op.drop_column("executives", "title")
