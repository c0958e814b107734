"""Under /p/<slug>/compare/."""

from django.urls import path

from metrics.compare import views

app_name = "compare"
urlpatterns = [
    path("", views.page, name="page"),
    path("figures/", views.figures, name="figures"),
    path("values/", views.values, name="values"),
    path("search/", views.search, name="search"),
    path("curves.csv", views.curves_csv, name="curves"),
    path("runs.csv", views.runs_csv, name="runs"),
]
