"""Two tables that refer to each other, a constraint, an index, rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Shelf",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("label", models.CharField(max_length=40, unique=True)),
                ("added", models.DateField(db_index=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Box",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("weight", models.IntegerField(default=1)),
                ("shelf", models.ForeignKey("django_shop.shelf", on_delete=models.CASCADE)),
            ],
            options={"constraints": [models.CheckConstraint(condition=models.Q(weight__gt=0), name="heavy")]},
        ),
        migrations.AddField("shelf", "room", models.TextField(default="hall")),
        migrations.RunSQL("INSERT INTO django_shop_shelf (label, room) VALUES ('first', 'cellar')"),
    ]
