"""A picker as JSON in FastAPI.

    pip install fastapi uvicorn
    DATABASE_URL=sqlite:///templates.db uvicorn fastapi_app:app

The endpoints are plain functions, which FastAPI runs in threads: a query blocks its thread and not the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query

from sync import Catalog, UnknownTemplate

catalog = Catalog(os.environ["DATABASE_URL"])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> Any:
    """Close the connections when the server stops."""
    yield
    catalog.close()


app = FastAPI(lifespan=lifespan)


def one_moment() -> Iterator[Catalog]:
    """Yield a snapshot of the catalog for a request, so that its queries agree with each other while a run commits."""
    with catalog.snapshot() as now:
        yield now


Now = Annotated[Catalog, Depends(one_moment)]


@app.get("/templates")
def templates(
    now: Now,
    tag: Annotated[list[str] | None, Query()] = None,
    search: str | None = None,
    max_price: float | None = None,
    after: str | None = None,
) -> dict[str, Any]:
    """Return a page of templates and, for the choices beside it, the values of the filters."""
    filters: dict[str, Any] = {"tag": tag, "search": search, "max_price": max_price}
    try:
        page = now.templates(**filters, limit=24, after=after)
        return {"templates": page, "after": page.after, "total": now.count(**filters), "facets": now.facets(**filters)}
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


@app.get("/templates/{template_id}")
def template(now: Now, template_id: str) -> dict[str, Any]:
    """Return one template with the form of its generation request."""
    try:
        return {"template": now.template(template_id), "form": now.form(template_id).schema}
    except UnknownTemplate as error:
        raise HTTPException(404, str(error)) from None


@app.get("/status")
def status() -> Any:
    """Return how fresh the copy is."""
    return catalog.status()
