"""What API tokens may still ask."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0002_sign_in")]

    operations = [
        migrations.CreateModel(
            name="Allowance",
            fields=[
                ("key", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("n_left", models.FloatField()),
                ("at", models.DateTimeField()),
            ],
        ),
        # One write a request: not worth a disk's answer, and a crash may forget it.
        migrations.RunSQL("alter table dashboard_allowance set unlogged", migrations.RunSQL.noop),
    ]
