"""Addresses of the home pages and of the quick search."""

from __future__ import annotations

from django.urls import path

from crashstats.home import views

urlpatterns = [
    path("", views.home, name="home"),
    path("home/product/<path:product>", views.product_home, name="product_home"),
    path("search/quick/", views.quick_search, name="quick_search"),
]
