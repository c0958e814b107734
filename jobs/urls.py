"""Under /p/<slug>/jobs/."""

from django.urls import path

from jobs import (
    browsing,
    choosing,
    comparing,
    dataset_step,
    default_checkpoint,
    drafts,
    mending,
    model_step,
    review,
    uploading,
    views,
    wizard,
)
from jobs.pasting import views as pasting

app_name = "jobs"
urlpatterns = [
    path("", views.list_jobs, name="list"),
    path("new/", wizard.create, name="create"),
    path("drafts/", drafts.list_drafts, name="drafts"),
    path("cancel/", choosing.cancel_many, name="cancel_many"),
    path("paste/", pasting.paste_request, name="paste"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/details/", views.show_details, name="details"),
    path("<int:pk>/request/", views.show_request, name="request"),
    path("<int:pk>/data/", views.show_data, name="data"),
    path("<int:pk>/adapter/<int:checkpoint>/", views.download_adapter, name="adapter"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path(
        "<int:pk>/checkpoints/<slug:checkpoint>/default/", default_checkpoint.set_default, name="set_default"
    ),
    path("<int:pk>/look-again/", views.look_again, name="look_again"),
    path("<int:pk>/create-again/", views.create_again, name="create_again"),
    path("<int:pk>/mend/", mending.mend, name="mend"),
    path("<int:pk>/again/", wizard.tune_again, name="again"),
    path("<int:pk>/model/", model_step.edit_model, name="model"),
    path("<int:pk>/dataset/", dataset_step.edit_dataset, name="dataset"),
    path("<int:pk>/dataset/upload/", dataset_step.upload, name="upload"),
    path("<int:pk>/dataset/parts/", uploading.in_parts, name="parts"),
    path("<int:pk>/dataset/location/", dataset_step.locate_uploads, name="location"),
    path("<int:pk>/dataset/browse/", browsing.browse, name="browse"),
    path("<int:pk>/dataset/locate/", dataset_step.locate, name="locate"),
    path("<int:pk>/dataset/pick/", dataset_step.pick, name="pick"),
    path("<int:pk>/dataset/sample/", dataset_step.use_sample, name="sample"),
    path("<int:pk>/dataset/hold-out/", dataset_step.hold_out, name="hold_out"),
    path("<int:pk>/dataset/remove/", dataset_step.remove, name="remove"),
    path("<int:pk>/dataset/validation/", dataset_step.switch_validation, name="validation"),
    path("<int:pk>/dataset/compare/", comparing.compare, name="compare"),
    path("<int:pk>/dataset/leave-out/", comparing.leave_out, name="leave_out"),
    path("<int:pk>/review/", review.show, name="review"),
    path("<int:pk>/start/", review.start, name="start"),
    path("<int:pk>/discard/", wizard.discard, name="discard"),
]
