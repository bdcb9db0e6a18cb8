"""A Django service in one file."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

if TYPE_CHECKING:
    from django.http import HttpRequest

settings.configure(
    SECRET_KEY="not-for-your-eyes-1234567890",  # noqa: S106 - planted, must never be seen
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
)
django.setup()
release = threading.Event()


def order(_request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(f"order {number}")


def stuck(request: HttpRequest, number: int) -> HttpResponse:  # noqa: ARG001 - a local to be seen
    release.wait()
    return HttpResponse(f"{number}")


def pid(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


urlpatterns = [
    path("order/<int:number>", order),
    path("stuck/<int:number>", stuck),
    path("pid", pid),
]
app = get_wsgi_application()
