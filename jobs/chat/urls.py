"""URLs under /p/<slug>/chats/."""

from django.urls import path

from jobs.chat import turn_views, views

app_name = "talk"
urlpatterns = [
    path("", views.list_conversations, name="list"),
    path("new/", views.create_conversation, name="new"),
    path("<int:pk>/", views.show_conversation, name="conversation"),
    path("<int:pk>/delete/", views.delete_conversation, name="delete"),
    path("<int:pk>/ask/", turn_views.ask_question, name="ask"),
    path("<int:pk>/ask-again/", turn_views.ask_again, name="ask_again"),
    path("<int:pk>/turns/<int:turn_pk>/", turn_views.show_turn, name="turn"),
    path("<int:pk>/turns/<int:turn_pk>/stream/", turn_views.stream_turn, name="stream"),
    path("<int:pk>/turns/<int:turn_pk>/stop/", turn_views.stop_turn, name="stop"),
]
