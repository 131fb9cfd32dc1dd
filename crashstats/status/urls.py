"""Addresses for probes, machines and curious people."""

from __future__ import annotations

from django.urls import path

from crashstats.status import views

urlpatterns = [
    path("__version__", views.version, name="version"),
    path("__heartbeat__", views.heartbeat, name="heartbeat"),
    path("__lbheartbeat__", views.load_balancer_heartbeat, name="load_balancer_heartbeat"),
    path("status/", views.status, name="status"),
    path("status.json", views.status_json, name="status_json"),
    path("robots.txt", views.robots, name="robots"),
    path("favicon.ico", views.favicon, name="favicon"),
]
