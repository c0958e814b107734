"""PostgreSQL tries to compress what is long; packed numbers do not shrink, and reading them is faster uncompressed."""

from django.db import migrations


def store_external(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for column in ("steps", "wall", "values"):
            schema_editor.execute(f'ALTER TABLE metrics_chunk ALTER COLUMN "{column}" SET STORAGE EXTERNAL')


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_initial")]
    operations = [migrations.RunPython(store_external, migrations.RunPython.noop)]
