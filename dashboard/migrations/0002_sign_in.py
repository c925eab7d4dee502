"""The first admin's link, and tries to sign in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0001_people")]

    operations = [
        migrations.CreateModel(
            name="SignInLink",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SignInTries",
            fields=[
                ("key", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("n", models.PositiveIntegerField(default=0)),
                ("since_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
            ],
        ),
    ]
