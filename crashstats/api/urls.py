"""The addresses of the API, below ``/api/``. Names are case-sensitive and end in a slash."""

from __future__ import annotations

from django.urls import path

from crashstats.api import views

urlpatterns = [
    path("ProcessedCrash/", views.ProcessedCrash.as_view(), name="api-processed-crash"),
    path("RawCrash/", views.RawCrash.as_view(), name="api-raw-crash"),
    path("SuperSearch/", views.SuperSearch.as_view(), name="api-super-search"),
    path("<path:name>/", views.UnknownEndpoint.as_view()),
]
