"""The address of every page; each family of pages has its own ``urls``."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("siteadmin/", admin.site.urls),
]
