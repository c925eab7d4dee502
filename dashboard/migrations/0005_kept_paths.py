"""Paths that somebody keeps."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0004_tidier_layouts")]

    operations = [
        migrations.CreateModel(
            name="KeptPath",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cluster", models.TextField()),
                ("topic", models.TextField()),
                ("partition", models.IntegerField()),
                ("offset", models.BigIntegerField()),
                ("body", models.BinaryField()),
                ("otlp", models.BinaryField()),
                ("kept_by", models.CharField(max_length=80)),
                ("kept_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("cluster", "topic", "partition", "offset"), name="one_kept_path_an_event"
                    )
                ],
            },
        ),
    ]
