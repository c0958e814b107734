from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metrics", "0002_store_points_as_they_are"),
    ]

    operations = [
        migrations.AddField(
            model_name="feed",
            name="left_out",
            field=models.JSONField(default=dict),
        ),
    ]
