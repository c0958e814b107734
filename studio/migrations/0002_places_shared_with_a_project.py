from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("studio", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="shared_places",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
