"""Column types that hold the same value on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import JSON, DateTime, Double, Integer, Numeric, TypeDecorator
from sqlalchemy.types import BigInteger

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


def json_text(value: Any) -> str:
    """Write JSON with its letters as they are: as text, it can be read and searched in SQL, too."""
    try:
        return _encode(value).decode()
    except (OverflowError, TypeError, ValueError):  # an integer of more than 64 bits, and whatever else msgspec does not take
        return json.dumps(value, ensure_ascii=False)


def read_json(text: str | bytes) -> Any:
    """Read stored JSON. What msgspec does not take is for Python's own reader, which gives the same for all that both take."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError):  # half a surrogate pair, a number beyond all floats
        return json.loads(text)


_decode = msgspec.json.Decoder().decode  # thrice as fast; a list reads thousands of documents
_encode = msgspec.json.Encoder().encode  # eight times as fast; a first run writes two documents for each template


class Json(TypeDecorator[Any]):
    """A JSON value; None is the database's null, not JSON's.

    What is special to an engine is imported where that engine is used: the dialects together take 0.07 s.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column: PostgreSQL's JSONB can be indexed and compared."""
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))


BigId = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER counts up by itself there


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC date-time to the microsecond. SQLite and MariaDB drop an offset without converting: naive values are refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column: MariaDB's DATETIME cuts microseconds off unless it is told not to."""
        if dialect.name in {"mysql", "mariadb"}:
            from sqlalchemy.dialects.mysql import DATETIME

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC, and to the naive form where the database knows no offsets."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a date-time without a time zone")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Read it back as an aware date-time."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Credit(TypeDecorator[Decimal]):
    """An exact decimal of up to 15 significant digits that compares and sums as a number.

    SQLite has no decimals, but a double gives back every decimal of 15 digits exactly through its shortest form.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column."""
        return dialect.type_descriptor(Double() if dialect.name == "sqlite" else Numeric(30, 15))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Bind a double on SQLite, the decimal elsewhere."""
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Drop the zeros that a fixed scale adds: 355.200000000000000 is 355.2."""
        if value is None:
            return None
        number = (Decimal(repr(value)) if isinstance(value, float) else Decimal(value)).normalize()
        return number.quantize(Decimal(1)) if number == number.to_integral_value() else number
