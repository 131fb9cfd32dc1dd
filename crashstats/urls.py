"""The address of every page; each family of pages has its own ``urls``."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("crashstats.home.urls")),
    path("", include("crashstats.signaturereport.urls")),
    path("", include("crashstats.status.urls")),
    path("", include("crashstats.accounts.urls")),
    path("report/", include("crashstats.reports.urls")),
    path("api/", include("crashstats.api.urls")),
    # One door only: Django's own pages would let passwords be guessed.
    path("siteadmin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("siteadmin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("siteadmin/", admin.site.urls),
]

handler400 = "crashstats.errors.bad_request"
handler403 = "crashstats.errors.permission_denied"
handler404 = "crashstats.errors.page_not_found"
handler500 = "crashstats.errors.server_error"
