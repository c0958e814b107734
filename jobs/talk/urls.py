"""Under /p/<slug>/chats/."""

from django.urls import path

from jobs.talk import turns, views

app_name = "talk"
urlpatterns = [
    path("", views.list_conversations, name="list"),
    path("new/", views.new, name="new"),
    path("<int:pk>/", views.conversation, name="conversation"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/ask/", turns.ask, name="ask"),
    path("<int:pk>/ask-again/", turns.ask_again, name="ask_again"),
    path("<int:pk>/turns/<int:turn_pk>/", turns.show, name="turn"),
    path("<int:pk>/turns/<int:turn_pk>/stream/", turns.stream, name="stream"),
    path("<int:pk>/turns/<int:turn_pk>/stop/", turns.stop, name="stop"),
]
