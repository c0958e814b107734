"""Under /p/<slug>/compare/."""

from django.urls import path

from metrics.compare import views

app_name = "compare"
urlpatterns = [path("", views.page, name="page")]
