"""The file of endpoints, and the sources of their secrets."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from sync.errors import ConfigurationError
from sync.webhooks.configuration import KEYS, endpoints_in, load_endpoints, read_endpoints, secret_files, secrets_of
from sync.webhooks.endpoints import Endpoint, PriceRule, Rules, secret_forms
from tests.webhooks.receiver import OTHER, SECRET

MINIMAL = '[[endpoint]]\nname = "shop"\nurl = "https://example.com/hook"\nsecret_env = "SHOP"\n'


PREFIX = "SYNC_WEBHOOKS_FILE: "


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read_endpoints(text)
    assert (raised.value.exit_code, raised.value.hint) == (78, "docs/changes.md lists every key; nothing was sent.")
    assert all(problem.startswith(PREFIX) for problem in raised.value.problems)
    return [problem.removeprefix(PREFIX) for problem in raised.value.problems]


def test_a_name_a_url_and_a_secret_are_sufficient_and_an_empty_file_has_no_endpoints() -> None:
    secret = (("secret_env", "SHOP"),)
    endpoint = Endpoint("shop", "https://example.com/hook", secret, Rules())
    assert read_endpoints(MINIMAL) == read_endpoints(MINIMAL + 'per = "change"\nfrom = "end"') == (endpoint,)
    assert read_endpoints("") == ()


def test_every_key_is_read() -> None:
    (found,) = read_endpoints("""
        [[endpoint]]
        name = "price-watch"
        url = "http://127.0.0.1:8000/hook?to=me"
        secret_env = "NEW"
        secret_file = "old.secret"
        kinds = ["changed"]
        fields = ["consume_items.720p"]
        tags = ["Festival", "热门"]
        ids = ["1", "2"]
        types = ["BEGIN_END_FRAME"]
        price_change = "-10%"
        breaking = true
        per = "run"
        from = "start"
        enabled = false
        allow_http = true
    """)
    assert found == Endpoint(
        "price-watch",
        "http://127.0.0.1:8000/hook?to=me",
        (("secret_env", "NEW"), ("secret_file", "old.secret")),
        Rules(
            frozenset({"changed"}), frozenset({"consume_items.720p"}), frozenset({"Festival", "热门"}), frozenset({"1", "2"}),
            frozenset({"BEGIN_END_FRAME"}), PriceRule(Decimal(10), "-"), breaking=True,
        ),
        per="run", start="start", enabled=False, allow_http=True,
    )  # fmt: skip


NAME = "name: expected 1 to 64 letters, digits, dots, dashes or underscores."
NOT_HTTPS = "url: expected an https:// URL; allow_http = true permits plain http to an address of a private network."
LINK_LOCAL = "url: expected a URL to another host: this address is link-local or of a cloud's metadata service."
NO_LIST = "expected a list of texts with at least one in it: an empty one could never match."
TOO_LONG = "expected texts of at most 255 characters: a longer one could never match."
ONE_OR_TWO = "expected a text in quotes, or a list of two while one is rotated."
NO_SUCH_KEY = (
    "no such key; expected one of name, url, secret_env, secret_file, kinds, fields, tags, ids, types, price_change, "
    "breaking, per, from, enabled, allow_http."
)
BAD = [
    ('name = "a b"', f"number 1: {NAME}"),
    ("name = 3", f"number 1: {NAME}"),
    ('url = "example.com"', "shop: url: expected a URL such as https://example.com/hooks/templates."),
    ('url = "http://example.com"', f"shop: {NOT_HTTPS}"),
    ('url = "http://127.0.0.2/"', f"shop: {NOT_HTTPS}"),
    ('url = "https://me:pw@example.com"', "shop: url: expected a URL without a user name or password in it."),
    ('url = "https://example.com/#x"', "shop: url: expected a URL without a fragment, which is never sent."),
    ('url = "https://169.254.169.254/latest"', f"shop: {LINK_LOCAL}"),
    ('url = "https://[fe80::1]/"', f"shop: {LINK_LOCAL}"),
    ('url = "https://[::ffff:169.254.1.1]/"', f"shop: {LINK_LOCAL}"),
    ('secret_env = "not a name"', "shop: secret_env: expected the name of an environment variable, not the secret itself."),
    ('secret_env = "whsec_x"', "shop: secret_env: expected the name of an environment variable, not the secret itself."),
    ('secret_env = ["A", "B", "C"]', "shop: secret_env: expected one secret, or two while one is rotated, not 3."),
    ("secret_env = []", f"shop: secret_env: {ONE_OR_TWO}"),
    ('secret_env = ["A", ""]', f"shop: secret_env: {ONE_OR_TWO}"),
    ("secret_env = 1", f"shop: secret_env: {ONE_OR_TWO}"),
    ('secret_file = "whsec_x"', "shop: secret_file: expected the name of a file, not the secret itself."),
    ("kinds = []", f"shop: kinds: {NO_LIST}"),
    ('kinds = "added"', f"shop: kinds: {NO_LIST}"),
    ('kinds = ["created"]', "shop: kinds: expected any of added, removed, changed, not 'created'."),
    (
        'fields = ["titel"]',
        "shop: fields: expected fields as `changes` shows them, such as title or consume_items.720p, not 'titel'.",
    ),
    ("ids = [1]", f"shop: ids: {NO_LIST}"),
    ('tags = [""]', f"shop: tags: {NO_LIST}"),
    ('price_change = "10"', "shop: price_change: expected a share such as 10%, or +10% for up only, -10% for down only."),
    ("price_change = 10", "shop: price_change: expected a text in quotes."),
    ('price_change = ""', "shop: price_change: expected a text in quotes."),
    ('breaking = "yes"', "shop: breaking: expected true or false, without quotes."),
    ('per = "day"', "shop: per: expected one of change, run."),
    ('from = "now"', "shop: from: expected one of end, start."),
    ('kinds = ["added"]\nbreaking = true', "shop: kinds: added can never match: an added template is not a breaking change."),
    ('kinds = ["removed"]\nfields = ["title"]', "shop: kinds: removed can never match: fields selects changed templates only."),
    (f'ids = ["{"1" * 256}"]', f"shop: ids: {TOO_LONG}"),
    (f'tags = ["{"x" * 256}"]', f"shop: tags: {TOO_LONG}"),
    ('tag = ["x"]', f"shop: tag: {NO_SUCH_KEY}"),
    ('secret = "whsec_abcdefgh"', f"shop: secret: {NO_SUCH_KEY}"),
]


@pytest.mark.parametrize(("lines", "expected"), BAD, ids=[case[0] for case in BAD])
def test_an_invalid_value_is_reported_by_endpoint_and_key_without_a_secret(lines: str, expected: str) -> None:
    keys = [line.partition(" ")[0] for line in lines.splitlines()]
    kept = [line for line in MINIMAL.splitlines() if line.partition(" ")[0] not in keys]
    (problem,) = problems("\n".join([*kept, lines]))
    assert problem == f"endpoint {expected}"
    assert "whsec_" not in problem
    assert "pw" not in problem


def test_all_problems_of_all_endpoints_are_reported_at_once() -> None:
    assert problems('x = 1\n[[endpoint]]\nname = "a"\n[[endpoint]]\nper = 1\n[[endpoint]]\n') == [
        "x: no such key; expected [[endpoint]].",
        "endpoint a: url: missing.",
        "endpoint a: secret_env: missing, and no secret_file either.",
        "endpoint number 2: name: missing.",
        "endpoint number 2: url: missing.",
        "endpoint number 2: secret_env: missing, and no secret_file either.",
        "endpoint number 2: per: expected one of change, run.",
        "endpoint number 3: name: missing.",
        "endpoint number 3: url: missing.",
        "endpoint number 3: secret_env: missing, and no secret_file either.",
    ]


def test_an_id_in_a_rule_may_be_as_long_as_that_of_a_template() -> None:
    (found,) = read_endpoints(MINIMAL + f'ids = ["{"1" * 255}"]\n')
    assert found.rules.ids == {"1" * 255}


TABLES = [MINIMAL.replace("shop", f"s{number}") for number in range(21)]
NO_ARRAY = "endpoint: expected [[endpoint]], in two pairs of brackets."


@pytest.mark.parametrize(("text", "problem"), [
    (MINIMAL * 2, "endpoint shop: name: given twice."), ("".join(TABLES), "expected at most 20 endpoints, not 21."),
    ('[endpoint]\nname = "a"', NO_ARRAY), ("endpoint = [1]", NO_ARRAY), ("endpoint = 1", NO_ARRAY), ("endpoint = [[]]", NO_ARRAY),
    ("= 1", "not valid TOML (at line 1, column 1)."), ("a = " + "9" * 5000, "not valid TOML."),
])  # fmt: skip
def test_endpoints_are_at_most_20_tables_of_different_names_in_valid_toml(text: str, problem: str) -> None:
    assert problems(text) == [problem]
    assert len(read_endpoints("".join(TABLES[:20]))) == 20


@pytest.mark.parametrize("text", ['url = "whsec_topsecret', "a = 1\na = 2", "[" * 5000, "\x00"])
def test_invalid_toml_is_reported_by_its_position_and_never_quoted(text: str) -> None:
    (problem,) = problems(text)
    assert re.fullmatch(r"not valid TOML(| \(at (line \d+, column \d+|end of document)\))\.", problem)
    assert "topsecret" not in problem


DOCUMENT = (Path(__file__).parents[2] / "docs" / "changes.md").read_text()


def test_the_example_in_the_documentation_is_valid_and_its_table_has_every_key() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [endpoint.name for endpoint in read_endpoints(example)] == ["shop", "price-watch"]
    table = DOCUMENT[DOCUMENT.index("| key | meaning |") :].partition("\n\n")[0]
    named = {key for row in table.splitlines()[3:] for key in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert named == set(KEYS)


# Secrets --------------------------------------------------------------------------------------------------------------


URL = "https://example.com/secret-path"


def write(folder: Path, *lines: str) -> str:
    file = folder / "hooks.toml"
    file.write_text("\n".join([f'[[endpoint]]\nname = "shop"\nurl = "{URL}"', *lines]))
    return str(file)


def test_a_secret_is_read_from_the_environment_before_dotenv_or_from_a_file_beside_the_toml_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"A={OTHER}\nB={OTHER}\n")
    (tmp_path / "new.secret").write_text(SECRET + "\n")
    (tmp_path / "new.secret").chmod(0o644)
    path = write(tmp_path, 'secret_env = "A"', 'secret_file = "new.secret"')
    warnings: list[str] = []
    environ = {"A": "whsec_" + "bm9uZSBvZiB0aGUgb3RoZXJzIGF0IGFsbA=="}
    load_endpoints(path, environ, tmp_path / ".env")
    (found,) = load_endpoints(path, environ, tmp_path / ".env", warnings)
    assert SECRET not in repr(found)
    assert found.secrets == (environ["A"], SECRET)
    assert secrets_of([found]) == [*secret_forms(environ["A"]), *secret_forms(SECRET), URL, "/secret-path"]
    assert "can be read by every user" in warnings[0]
    monkeypatch.chdir(tmp_path)
    (found,) = load_endpoints(write(tmp_path, 'secret_env = ["B"]'), {"B": ""})
    assert found.secrets == (OTHER,)


NO_SECRET = "whsec_ and then 24 to 64 random bytes in base64, with its = at the end"


@pytest.mark.parametrize(("lines", "expected"), [
    ('secret_env = "UNSET"', "secret_env (UNSET): expected that variable to be set."),
    ('secret_env = "WRONG"', f"secret_env (WRONG): expected {NO_SECRET}."),
    ('secret_env = ["GOOD", "AGAIN"]', "secret_env (AGAIN): expected two different secrets: the second equals the first."),
    ('secret_file = "none"', "secret_file: expected a readable file in secret_file ({}/none: No such file or directory)."),
    ('secret_file = "."', "secret_file: expected a readable file in secret_file ({}: Is a directory)."),
])  # fmt: skip
def test_an_invalid_secret_is_reported_by_endpoint_and_source_without_its_text(tmp_path: Path, lines: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_endpoints(write(tmp_path, lines), {"WRONG": "v1,whsec_abc", "GOOD": SECRET, "AGAIN": SECRET}, None)
    assert raised.value.problems == [f"{PREFIX}endpoint shop: {expected.format(tmp_path)}"]
    assert raised.value.hint == "docs/changes.md describes each key; nothing was sent."
    assert "whsec_abc" not in str(raised.value)
    assert SECRET not in str(raised.value)


def test_the_files_of_secrets_are_listed_beside_the_toml_file_and_an_invalid_file_lists_none(tmp_path: Path) -> None:
    path = write(tmp_path, 'secret_file = ["new.secret", "/etc/old.secret"]')
    assert secret_files(path) == [f"{tmp_path}/new.secret", "/etc/old.secret"]
    assert secret_files(write(tmp_path, 'secret_env = "A"', 'secret_file = "b"')) == [f"{tmp_path}/b"]
    (tmp_path / "hooks.toml").write_text("[[")
    assert secret_files(path) == []


def test_allow_http_permits_plain_http_to_a_private_network_only_if_it_is_true() -> None:
    private = MINIMAL.replace("https://example.com", "http://192.168.1.5")
    (found,) = read_endpoints(private + "allow_http = true\n")
    assert (found.url, found.allow_http) == ("http://192.168.1.5/hook", True)
    for refused in ("allow_http = false\n", "allow_http = 1\n", ""):
        assert f"endpoint shop: {NOT_HTTPS}" in problems(private + refused)


def test_a_listing_and_disabled_endpoints_need_no_secret(tmp_path: Path) -> None:
    path = write(tmp_path, 'secret_env = "UNSET"', "enabled = false")
    assert [endpoint.name for endpoint in endpoints_in(path)] == ["shop"]
    assert load_endpoints(path, {}, None) == []


@pytest.mark.parametrize(("content", "expected"), [
    (b"\xff", "expected a readable file ({}: not UTF-8 text)."),
    (b"\n" * 2**20 + b"x", "expected a file of at most 1 MiB ({})."),
    (None, "expected a readable file ({}: No such file or directory)."),
    (b"\n" * 2**20, None),
])  # fmt: skip
def test_an_unreadable_file_is_reported_in_one_line(tmp_path: Path, content: bytes | None, expected: str | None) -> None:
    file = tmp_path / "hooks.toml"
    if content is not None:
        file.write_bytes(content)
    if expected is None:
        assert endpoints_in(str(file)) == ()
        return
    with pytest.raises(ConfigurationError) as raised:
        endpoints_in(str(file))
    assert raised.value.problems == [PREFIX + expected.format(file)]
