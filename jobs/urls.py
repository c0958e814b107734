"""Under /p/<slug>/jobs/."""

from django.urls import path

from jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.list_jobs, name="list"),
    path("<int:pk>/", views.detail, name="detail"),
]
