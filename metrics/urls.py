"""Under /p/<slug>/jobs/<pk>/."""

from django.urls import URLPattern

app_name = "metrics"
urlpatterns: list[URLPattern] = []
