"""Under /p/<slug>/datasets/."""

from django.urls import path

from jobs.datasets import changes_views, files, views

app_name = "datasets"
urlpatterns = [
    path("", views.list_datasets, name="list"),
    path("add/", views.add, name="add"),
    path("samples/", views.add_sample, name="sample"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/tune/", views.tune, name="tune"),
    path("<int:pk>/check/", views.check_again, name="check"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/compare/", changes_views.compare, name="compare"),
    path("<int:before>/changes/<int:after>/", changes_views.show_changes, name="changes"),
    path("<int:before>/changes/<int:after>/csv/", changes_views.changes_csv, name="changes_csv"),
    path("<int:pk>/file/", files.download, name="file"),
    path("<int:pk>/problems/", files.problems_csv, name="problems"),
    path("<int:pk>/cleaned/", files.download_cleaned, name="cleaned"),
    path("<int:pk>/keep-cleaned/", files.keep_cleaned, name="keep_cleaned"),
]
