"""Under /p/<slug>/compare/."""

from django.urls import path

from metrics.compare import views

app_name = "compare"
urlpatterns = [
    path("", views.show_comparison, name="page"),
    path("figures/", views.figures_json, name="figures"),
    path("values/", views.values_json, name="values"),
    path("search/", views.search_runs, name="search"),
    path("curves.csv", views.curves_csv, name="curves"),
    path("runs.csv", views.runs_csv, name="runs"),
]
