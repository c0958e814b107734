from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0005_reword_choices"),
    ]

    operations = [
        migrations.AddField(
            model_name="tuningjob",
            name="replaced",
            field=models.JSONField(default=list),
        ),
    ]
