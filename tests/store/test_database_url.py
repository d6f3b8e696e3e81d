"""What a DATABASE_URL names: one host or several, in the forms that people write."""

from __future__ import annotations

import pytest

from sync.errors import ConfigurationError
from sync.store.database_url import Host, database_name, read_url
from sync.store.engine import open_engine


@pytest.mark.parametrize(("url", "hosts"), [
    ("postgresql://u@a/db", [Host("a", None)]),
    ("postgresql://u:p,w@a:1,b:2/db", [Host("a", 1), Host("b", 2)]),
    ("postgres://a,b:5433,[::1]:5434/db?sslmode=require", [Host("a", None), Host("b", 5433), Host("::1", 5434)]),
    ("mariadb://u@db1,db2/name", [Host("db1", None), Host("db2", None)]),
    ("postgresql://u@/db?host=a:1&host=b:2", []),
    ("sqlite:///a,b/templates.db", []),
])  # fmt: skip
def test_a_url_names_its_hosts_in_order(url: str, hosts: list[Host]) -> None:
    assert read_url(url)[1] == hosts


def test_what_stands_around_several_hosts_stays_as_it_is() -> None:
    url, _hosts = read_url("mysql://u:p%40%2C@a:1,b:2/db?charset=utf8mb4")
    assert (url.drivername, url.username, url.password, url.database) == ("mysql+pymysql", "u", "p@,", "db")
    assert (url.host, url.port, dict(url.query)) == ("a", 1, {"charset": "utf8mb4"})


@pytest.mark.parametrize("url", ["postgresql://a,/db", "postgresql://a:x,b/db", "postgresql://a:1:2,b/db"])
def test_several_hosts_that_are_no_hosts_are_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigurationError, match="host1:5432,host2:5432") as refused:
        read_url(url)
    assert "\n" not in str(refused.value)


def test_messages_name_all_hosts() -> None:
    assert database_name(open_engine("postgresql://u:secret@a:1,[::1]:2/db")) == "a:1,[::1]:2/db"
    assert database_name(open_engine("postgresql:///db")) == "local socket/db"
