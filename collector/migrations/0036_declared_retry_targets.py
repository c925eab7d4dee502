"""Where an admin lets dead letters go stands in what is declared: nobody ever wrote this table."""

from django.db import migrations


class Migration(migrations.Migration):
    """One table less."""

    dependencies = (("collector", "0035_copied_databases"),)
    operations = (migrations.RunSQL("drop table retry_target", migrations.RunSQL.noop),)
