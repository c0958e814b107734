"""Under /p/<slug>/chats/."""

from django.urls import path

from jobs.chat import turn_views, views

app_name = "talk"
urlpatterns = [
    path("", views.list_conversations, name="list"),
    path("new/", views.new, name="new"),
    path("<int:pk>/", views.conversation, name="conversation"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/ask/", turn_views.ask, name="ask"),
    path("<int:pk>/ask-again/", turn_views.ask_again, name="ask_again"),
    path("<int:pk>/turns/<int:turn_pk>/", turn_views.show, name="turn"),
    path("<int:pk>/turns/<int:turn_pk>/stream/", turn_views.stream, name="stream"),
    path("<int:pk>/turns/<int:turn_pk>/stop/", turn_views.stop, name="stop"),
]
