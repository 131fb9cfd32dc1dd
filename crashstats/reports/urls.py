"""Addresses of crash reports: these are baked into clients, bug reports and browsers."""

from __future__ import annotations

from django.urls import path

from crashstats.reports import views

urlpatterns = [
    path("index/<str:crash_id>", views.report, name="report"),
]
