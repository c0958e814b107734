"""URLs under /p/<slug>/jobs/."""

from django.urls import path

from jobs.job_list import bulk_actions
from jobs.job_list import views as job_list_views
from jobs.job_page import default_checkpoint, views
from jobs.request_import import views as pasting
from jobs.troubleshooting import views as troubleshooting_views
from jobs.wizard import draft_list, review_step
from jobs.wizard import views as wizard_views
from jobs.wizard.dataset_step import bucket_browser, leakage, upload_api, upload_views
from jobs.wizard.dataset_step import views as dataset_step_views
from jobs.wizard.model_step import views as model_step_views

app_name = "jobs"
urlpatterns = [
    path("", job_list_views.list_jobs, name="list"),
    path("new/", wizard_views.create_draft, name="create"),
    path("drafts/", draft_list.list_drafts, name="drafts"),
    path("cancel/", bulk_actions.cancel_many, name="cancel_many"),
    path("paste/", pasting.import_request, name="paste"),
    path("<int:pk>/", views.show_monitor, name="detail"),
    path("<int:pk>/details/", views.show_details, name="details"),
    path("<int:pk>/request/", views.show_request, name="request"),
    path("<int:pk>/data/", views.show_dataset, name="data"),
    path("<int:pk>/adapter/<int:checkpoint>/", views.download_adapter, name="adapter"),
    path("<int:pk>/cancel/", views.cancel_job, name="cancel"),
    path(
        "<int:pk>/checkpoints/<slug:checkpoint>/default/", default_checkpoint.set_default, name="set_default"
    ),
    path("<int:pk>/look-again/", views.search_again, name="look_again"),
    path("<int:pk>/create-again/", views.create_again, name="create_again"),
    path("<int:pk>/mend/", troubleshooting_views.apply_fix, name="mend"),
    path("<int:pk>/again/", wizard_views.tune_again, name="again"),
    path("<int:pk>/model/", model_step_views.edit_model, name="model"),
    path("<int:pk>/dataset/", dataset_step_views.edit_dataset, name="dataset"),
    path("<int:pk>/dataset/upload/", upload_views.upload_dataset, name="upload"),
    path("<int:pk>/dataset/parts/", upload_api.upload_in_chunks, name="parts"),
    path("<int:pk>/dataset/location/", upload_views.set_upload_folder, name="location"),
    path("<int:pk>/dataset/browse/", bucket_browser.browse_bucket, name="browse"),
    path("<int:pk>/dataset/locate/", dataset_step_views.choose_dataset, {"way": "existing"}, "locate"),
    path("<int:pk>/dataset/pick/", dataset_step_views.choose_dataset, {"way": "library"}, "pick"),
    path("<int:pk>/dataset/sample/", dataset_step_views.use_sample, name="sample"),
    path("<int:pk>/dataset/hold-out/", dataset_step_views.hold_out_validation, name="hold_out"),
    path("<int:pk>/dataset/remove/", dataset_step_views.remove_dataset, name="remove"),
    path("<int:pk>/dataset/validation/", dataset_step_views.switch_validation, name="validation"),
    path("<int:pk>/dataset/compare/", leakage.compare_datasets, name="compare"),
    path("<int:pk>/dataset/leave-out/", leakage.leave_out_leaks, name="leave_out"),
    path("<int:pk>/review/", review_step.show_review, name="review"),
    path("<int:pk>/start/", review_step.start_job, name="start"),
    path("<int:pk>/discard/", wizard_views.discard_draft, name="discard"),
]
