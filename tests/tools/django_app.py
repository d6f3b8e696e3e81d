"""Open the database as an existing Django app: `inspectdb`, then the views as models, with the documented edits.

Run as `python -m tests.tools.django_app URL`; prints one JSON object.
"""

from __future__ import annotations

import io
import json
import re
import sys
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

BACKENDS = {"sqlite": "sqlite3", "postgresql": "postgresql", "mariadb": "mysql"}


def configure(url: str) -> None:
    """Set Django up for a database."""
    parts = urlsplit(url)
    if parts.scheme == "mariadb":
        import pymysql

        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    where = {"NAME": parts.path[1:], "USER": parts.username or "", "HOST": parts.hostname or "", "PORT": str(parts.port or "")}
    where["PASSWORD"] = parts.password or ""
    settings.configure(
        DATABASES={"default": {"ENGINE": f"django.db.backends.{BACKENDS[parts.scheme]}", **where}}, USE_TZ=True, TIME_ZONE="UTC"
    )
    django.setup()


def inspected() -> dict[str, dict[str, str]]:
    """Return the type that `inspectdb` gives each column: table -> column -> type of field."""
    from django.core.management import call_command

    written = io.StringIO()
    call_command("inspectdb", include_views=True, stdout=written)
    found: dict[str, dict[str, str]] = {}
    for model in written.getvalue().split("\nclass ")[1:]:
        (table,) = re.findall(r"db_table = '(\w+)'", model)
        found[table] = dict(re.findall(r"^    (\w+) = models\.(\w+)\(", model, re.MULTILINE))
    return found


def read() -> dict[str, Any]:
    """Query with models as written by `inspectdb`, with a key and, on SQLite, corrected types."""
    from django.db import models

    class Picker(models.Model):  # type: ignore[misc]  # noqa: DJ008 - not displayed
        template_id = models.CharField(max_length=255, primary_key=True)
        lowest_credit = models.DecimalField(max_digits=30, decimal_places=15, null=True)
        prices = models.JSONField(null=True)
        tags = models.JSONField(null=True)
        released_at = models.DateTimeField(null=True)

        class Meta:
            managed = False
            db_table = "picker"
            app_label = "shop"

    class CurrentPrice(models.Model):  # type: ignore[misc]  # noqa: DJ008
        pk = models.CompositePrimaryKey("template_id", "resolution")
        template_id = models.CharField(max_length=255)
        resolution = models.CharField(max_length=64)
        credit = models.DecimalField(max_digits=30, decimal_places=15)

        class Meta:
            managed = False
            db_table = "current_prices"
            app_label = "shop"

    class Nullable(models.Model):  # type: ignore[misc]  # noqa: DJ008
        pk = models.CompositePrimaryKey("template_id", "resolution")
        template_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - what inspectdb writes for a view
        resolution = models.CharField(max_length=64)

        class Meta:
            managed = False
            db_table = "current_prices"
            app_label = "shop"

    third = Picker.objects.get(pk="3")
    return {
        "cheap": list(Picker.objects.filter(lowest_credit__lt=Decimal(400)).order_by("pk").values_list("pk", flat=True)),
        "third": [str(third.lowest_credit), third.prices, third.tags, third.released_at.isoformat()],
        "problems": [[each.id for each in model.check()] for model in (Picker, CurrentPrice, Nullable)],
        "price": str(CurrentPrice.objects.get(pk=("1", "480p")).credit.normalize()),
    }


if __name__ == "__main__":
    configure(sys.argv[1])
    json.dump({"inspected": inspected(), **read()}, sys.stdout)
