"""`alembic upgrade head`, or with `--sql` what it would run."""

import pathlib
import sys

from alembic import command
from alembic.config import Config

config = Config(stdout=sys.stdout)
config.set_main_option("script_location", str(pathlib.Path(__file__).parent / "alembic_teams"))
command.upgrade(config, "head", sql="--sql" in sys.argv)
