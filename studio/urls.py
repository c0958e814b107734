"""The sitemap: one include per app. docs/pages.md says what each page is for."""

from django.urls import include, path

from studio.operation import health
from studio.pages import views as page_views
from studio.people import invitation_views, member_views, sign_in_views
from studio.projects import views as project_views

handler400 = "studio.pages.views.bad_request"
handler500 = "studio.pages.views.server_error"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("", project_views.home, name="home"),
    path("language/", page_views.language, name="language"),
    path("sign-in/", sign_in_views.sign_in, name="sign_in"),
    path("sign-out/", sign_in_views.sign_out, name="sign_out"),
    path("join/<str:uid>/<str:token>/", sign_in_views.join, name="join"),
    path("invitation/<str:token>/", invitation_views.open_invitation, name="invitation"),
    path("projects/new/", project_views.new_project, name="new_project"),
    path("p/<slug:slug>/settings/", project_views.project_settings, name="project_settings"),
    path("p/<slug:slug>/settings/connection/", project_views.check_connection, name="check_connection"),
    path("p/<slug:slug>/activity/", project_views.activity, name="activity"),
    path("p/<slug:slug>/members/", member_views.members, name="members"),
    path("p/<slug:slug>/members/add/", member_views.add_member, name="add_member"),
    path("p/<slug:slug>/members/<int:membership>/role/", member_views.change_role, name="change_role"),
    path("p/<slug:slug>/members/<int:membership>/remove/", member_views.remove_member, name="remove_member"),
    path("p/<slug:slug>/members/<int:membership>/link/", member_views.renew_link, name="renew_link"),
    path(
        "p/<slug:slug>/invitations/<int:invitation>/link/",
        member_views.renew_invitation,
        name="renew_invitation",
    ),
    path(
        "p/<slug:slug>/invitations/<int:invitation>/withdraw/",
        member_views.withdraw_invitation,
        name="withdraw_invitation",
    ),
    path("p/<slug:slug>/", project_views.project_home, name="project"),
    path("p/<slug:slug>/jobs/", include("jobs.urls")),
    path("p/<slug:slug>/datasets/", include("jobs.datasets.urls")),
    path("p/<slug:slug>/chats/", include("jobs.chat.urls")),
    path("p/<slug:slug>/jobs/<int:pk>/", include("metrics.urls")),
    path("p/<slug:slug>/compare/", include("metrics.compare.urls")),
]
