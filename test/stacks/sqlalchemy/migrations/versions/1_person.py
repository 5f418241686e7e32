import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "1"
down_revision = None


def upgrade():
    op.create_table(
        "person",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, index=True),
        sa.Column("tags", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("data", postgresql.JSONB),
    )


def downgrade():
    op.drop_table("person")
