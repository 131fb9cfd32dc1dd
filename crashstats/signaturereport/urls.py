"""Addresses of signatures; ``/signature/?signature=`` is baked into bug reports."""

from __future__ import annotations

from django.urls import path

from crashstats.signaturereport import views

urlpatterns = [
    path("signatures/", views.signatures, name="signatures"),
    path("signature/", views.signature, name="signature"),
]
