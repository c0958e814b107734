"""Under /p/<slug>/jobs/<pk>/."""

from django.urls import path

from metrics.monitor import views

app_name = "metrics"
urlpatterns = [
    path("monitor/", views.show_monitor, name="monitor"),
    path("monitor/figures/", views.figures_json, name="figures"),
    path("monitor/table/<slug:chart>/", views.show_table, name="table"),
    path("monitor/points.csv", views.points_csv, name="csv"),
]
