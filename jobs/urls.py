"""Under /p/<slug>/jobs/."""

from django.urls import path

from jobs import views, wizard
from jobs.pasting import views as pasting

app_name = "jobs"
urlpatterns = [
    path("", views.list_jobs, name="list"),
    path("new/", wizard.create, name="create"),
    path("paste/", pasting.paste_request, name="paste"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/details/", views.show_details, name="details"),
    path("<int:pk>/request/", views.show_request, name="request"),
    path("<int:pk>/data/", views.show_data, name="data"),
    path("<int:pk>/adapter/<int:checkpoint>/", views.download_adapter, name="adapter"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/look-again/", views.look_again, name="look_again"),
    path("<int:pk>/create-again/", views.create_again, name="create_again"),
    path("<int:pk>/again/", wizard.tune_again, name="again"),
    path("<int:pk>/model/", wizard.edit_model, name="model"),
    path("<int:pk>/dataset/", wizard.edit_dataset, name="dataset"),
    path("<int:pk>/dataset/upload/", wizard.upload, name="upload"),
    path("<int:pk>/dataset/locate/", wizard.locate, name="locate"),
    path("<int:pk>/dataset/sample/", wizard.use_sample, name="sample"),
    path("<int:pk>/dataset/remove/", wizard.remove, name="remove"),
    path("<int:pk>/dataset/validation/", wizard.switch_validation, name="validation"),
    path("<int:pk>/start/", wizard.start, name="start"),
    path("<int:pk>/discard/", wizard.discard, name="discard"),
]
