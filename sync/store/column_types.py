"""Column types that hold the same value on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import JSON, DateTime, Double, Integer, Numeric, TypeDecorator
from sqlalchemy.types import BigInteger

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


_decode = msgspec.json.Decoder().decode  # three times as fast as `json`; a listing reads thousands of documents


def read_json(text: str | bytes) -> Any:
    """Parse stored JSON; fall back to Python's parser for what msgspec refuses."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError):  # such as a lone surrogate or a number larger than a float
        return json.loads(text)


class Json(TypeDecorator[Any]):
    """A JSON value; None is SQL NULL, not JSON null.

    Dialect-specific types are imported when they are used, because importing all dialects takes 0.07 s.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return JSONB on PostgreSQL, because it can be indexed and compared, JSON elsewhere."""
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))


BigId = BigInteger().with_variant(Integer(), "sqlite")  # SQLite autoincrements only INTEGER


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC date-time with microseconds; naive values are refused, because SQLite and MariaDB drop offsets without converting."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return DATETIME(6) on MariaDB, where DATETIME has no microseconds."""
        if dialect.name in {"mysql", "mariadb"}:
            from sqlalchemy.dialects.mysql import DATETIME

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC, and to a naive value where the database stores no offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a date-time without a time zone")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature of SQLAlchemy
        """Return an aware UTC date-time."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Credit(TypeDecorator[Decimal]):
    """An exact decimal of up to 15 significant digits that compares and sums as a number.

    SQLite has no decimal type; a double keeps each decimal of 15 digits exactly in its shortest form.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return a double on SQLite, NUMERIC(30, 15) elsewhere."""
        return dialect.type_descriptor(Double() if dialect.name == "sqlite" else Numeric(30, 15))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return a float on SQLite, the decimal elsewhere."""
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - signature of SQLAlchemy
        """Remove the zeros that a fixed scale adds: 355.200000000000000 becomes 355.2."""
        if value is None:
            return None
        number = (Decimal(repr(value)) if isinstance(value, float) else Decimal(value)).normalize()
        return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


@lru_cache(maxsize=1024)  # prices repeat
def exact_decimal(number: float) -> Decimal:
    """Return the decimal that a number of a document stands for."""
    return Decimal(repr(number))
