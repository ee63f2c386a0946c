"""Tables, an index, a type and first rows."""

import sqlalchemy as sa
from alembic import op

revision = "one"
down_revision = None


def upgrade():
    teams = op.create_table(
        "teams",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Enum("inner", "outer", name="team_kind"), nullable=False),
    )
    op.create_index("teams_kind", "teams", ["kind"])
    op.bulk_insert(teams, [{"id": 1, "name": "signals", "kind": "inner"}, {"id": 2, "name": "tracks", "kind": "outer"}])
