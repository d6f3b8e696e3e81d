"""A picker as JSON in Django, in one file.

    pip install django
    DATABASE_URL=sqlite:///templates.db DJANGO_SECRET_KEY=... python django_app.py runserver 8000

The catalog is read through `sync.Catalog`, not through Django's models, so Django needs no database of its own for it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import Http404, JsonResponse
from django.urls import path

from sync import Catalog, UnknownTemplate

if TYPE_CHECKING:
    from django.http import HttpRequest

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
)

catalog = Catalog(os.environ["DATABASE_URL"])


def templates(request: HttpRequest) -> JsonResponse:
    """Return a page of templates and, for the choices beside it, the values of the filters."""
    filters = {
        "tag": request.GET.getlist("tag"),
        "search": request.GET.get("search"),
        "max_price": request.GET.get("max_price"),
    }
    try:
        with catalog.snapshot() as now:
            page = now.templates(**filters, limit=24, after=request.GET.get("after"))
            total, facets = now.count(**filters), now.facets(**filters)
    except ValueError as error:
        return JsonResponse({"detail": str(error)}, status=400)
    return JsonResponse({"templates": [each.as_json() for each in page], "after": page.after, "total": total, "facets": facets})


def template(_request: HttpRequest, template_id: str) -> JsonResponse:
    """Return one template with the form of its generation request."""
    try:
        with catalog.snapshot() as now:
            return JsonResponse({"template": now.template(template_id).as_json(), "form": now.form(template_id).schema})
    except UnknownTemplate as error:
        raise Http404(str(error)) from None


urlpatterns = [path("templates", templates), path("templates/<str:template_id>", template)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
