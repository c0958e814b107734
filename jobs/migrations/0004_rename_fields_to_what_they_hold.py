from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_keep_what_changed_between_datasets"),
        ("studio", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex("tuningjob", "jobs_by_status"),
        migrations.RenameField("tuningjob", "trouble", "last_error"),
        migrations.RenameField("tuningjob", "twins", "duplicates"),
        migrations.RenameField("tuningjob", "misses", "missed_polls"),
        migrations.RenameField("tuningjob", "looks", "search_attempts"),
        migrations.RenameField("tuningjob", "gone_at", "deleted_at"),
        migrations.AddIndex(
            "tuningjob",
            models.Index(
                fields=["project", "submission", "state", "owner", "deleted_at"], name="jobs_by_status"
            ),
        ),
        migrations.RenameModel("Sweep", "JobListPoll"),
        migrations.RenameField("joblistpoll", "trouble", "last_error"),
    ]
