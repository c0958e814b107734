"""Under /p/<slug>/datasets/."""

from django.urls import path

from jobs.datasets import views
from jobs.datasets.diff import views as diff_views
from jobs.datasets.report_page import views as report_views
from jobs.datasets.transform import views as transform_views
from jobs.wizard import views as wizard_views

app_name = "datasets"
urlpatterns = [
    path("", views.list_datasets, name="list"),
    path("add/", views.add_dataset, name="add"),
    path("samples/", views.add_sample, name="sample"),
    path("<int:pk>/", report_views.show_dataset, name="detail"),
    path("<int:pk>/tune/", wizard_views.tune_dataset, name="tune"),
    path("<int:pk>/check/", report_views.check_again, name="check"),
    path("<int:pk>/delete/", views.delete_dataset, name="delete"),
    path("<int:pk>/compare/", diff_views.compare_datasets, name="compare"),
    path("<int:before>/changes/<int:after>/", diff_views.show_changes, name="changes"),
    path("<int:before>/changes/<int:after>/csv/", diff_views.download_changes_csv, name="changes_csv"),
    path("<int:pk>/file/", report_views.download_file, name="file"),
    path("<int:pk>/problems/", report_views.download_problems_csv, name="problems"),
    path("<int:pk>/cleaned/", transform_views.download_cleaned, name="cleaned"),
    path("<int:pk>/keep-cleaned/", transform_views.keep_cleaned, name="keep_cleaned"),
]
