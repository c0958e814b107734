"""Under /p/<slug>/jobs/<pk>/."""

from django.urls import path

from metrics.monitor import views

app_name = "metrics"
urlpatterns = [
    path("monitor/", views.monitor, name="monitor"),
    path("monitor/figures/", views.figures, name="figures"),
    path("monitor/table/<slug:chart>/", views.table, name="table"),
    path("monitor/points.csv", views.points_csv, name="csv"),
]
