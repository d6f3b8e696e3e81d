"""The commands `webhooks`: output and errors, without secrets and URLs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sync.commands.prune import endpoints_passed
from sync.webhooks.outbox import positions
from tests.builders import records
from tests.command_line import Result, command
from tests.faults import sync
from tests.webhooks.receiver import OTHER, SECRET, Receiver, about, id_of, respond

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.builders import Database

FILE = """
[[endpoint]]
name = "shop"
url = "{url}"
secret_env = ["SHOP_SECRET", "SHOP_OLD_SECRET"]
from = "start"
"""


class Shop:
    """A folder with a database, a file with one endpoint, and the receiver of this endpoint."""

    def __init__(self, database: Database, receiver: Receiver, folder: Path) -> None:
        self.database = database
        self.receiver = receiver
        self.folder = folder
        self.file = folder / "hooks.toml"
        self.file.write_text(FILE.format(url=receiver.url))
        (folder / ".env").write_text(f"SHOP_OLD_SECRET={OTHER}\n")
        self.variables = {"SYNC_WEBHOOKS_FILE": "hooks.toml", "SHOP_SECRET": SECRET, "DATABASE_URL": database.url}
        self.output: list[str] = []

    def __call__(self, *arguments: str, **variables: str) -> Result:
        """Run a command, and keep its output."""
        done = command(self.folder, arguments, **{**self.variables, **variables})
        self.output += [done.out, done.err]
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").out)


@pytest.fixture
def shop(sqlite: Database, receiver: Receiver, tmp_path: Path) -> Shop:
    sync(records(2), sqlite.engine)
    return Shop(sqlite, receiver, tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


def test_the_commands_of_webhooks_work_and_show_no_secret(shop: Shop) -> None:
    assert re.search(r"shop +http://127.0.0.1:[0-9]+ +no position yet", shop("webhooks", "list").out)
    assert shop("webhooks", "resume", "shop").code == 2

    assert shop("webhooks", "test", "shop").out == "shop: 204\n"
    assert json.loads(shop.receiver.requests.pop().body)["type"] == "webhook.test"
    assert positions(shop.database.engine) == []

    shop.receiver.behave = respond(410, f"no {SECRET} {OTHER} {shop.receiver.url} \x1b[31m".encode())
    refused = shop("webhooks", "deliver", SYNC_LOG_LEVEL="debug")
    assert (refused.code, "shop  paused, 0 messages accepted: 410: no [secret]" in refused.out) == (75, True)
    (listed,) = shop.json("webhooks", "list")
    assert listed.keys() == {
        "name", "origin", "per", "enabled", "cursor", "seq", "behind", "attempts", "failing_since", "next_attempt_at",
        "last_attempt_at", "last_status", "last_answer", "paused",
    }  # fmt: skip
    assert [listed[name] for name in ("seq", "behind", "attempts", "last_status", "paused")] == [0, 2, 1, 410, "gone"]
    assert "paused (gone)" in shop("webhooks", "list").out
    assert "check       shop: paused (gone), 2 changes pending" in shop("status").out
    assert shop.json("status")["webhooks"][0]["paused"] == "gone"
    (check,) = [each for each in shop.json("doctor") if each["name"] == "webhooks"]
    assert (check["result"], check["seen"]) == ("warning", "shop: paused (gone), 2 changes pending")

    shop.receiver.behave = None
    assert "resumes with template.added of template 1" in shop("webhooks", "resume", "shop").err
    assert "skips template.added of template 1" in shop("webhooks", "resume", "shop", "--skip").err
    assert shop.json("webhooks", "deliver") == [{"name": "shop", "result": "done", "messages": 1, "error": None}]
    assert about(shop.receiver.accepted[-1]) == "2"
    assert shop("webhooks", "deliver").err == "no messages are due\n"
    assert "1 endpoint, all up to date" in shop("status").out

    shop("config")
    output = "".join([*shop.output, *map(str, shop.database.dump()["webhook_endpoints"])])
    for hidden in (SECRET, SECRET.removeprefix("whsec_"), OTHER, "secret-path"):
        assert hidden not in output
    assert "\x1b" not in output


def test_a_missing_file_or_secret_is_reported_and_nothing_is_sent(shop: Shop) -> None:
    unset = shop("webhooks", "list", SYNC_WEBHOOKS_FILE="")
    assert (unset.code, "SYNC_WEBHOOKS_FILE: not set" in unset.err) == (78, True)
    for arguments in (["deliver"], ["test", "shop"]):
        missing = shop("webhooks", *arguments, SHOP_SECRET="whsec_short")
        assert missing.code == 78
        assert "endpoint shop: secret_env (SHOP_SECRET): expected whsec_ and then" in missing.err
        assert "whsec_short" not in missing.err
    missing = shop("webhooks", "deliver", SHOP_SECRET="")
    assert "secret_env (SHOP_SECRET): expected that variable to be set" in missing.err
    assert shop("webhooks", "test", "unknown").code == 2
    assert shop.receiver.requests == []
    (shop.folder / ".env").write_text("")
    listed = shop("webhooks", "list", SHOP_SECRET="")
    assert (listed.code, listed.out.splitlines()[1].split()[0]) == (78, "shop")
    for name in ("SHOP_SECRET", "SHOP_OLD_SECRET"):
        assert f"secret_env ({name}): expected that variable to be set" in listed.err


def test_rules_with_a_tag_or_type_that_no_template_has_are_listed_with_a_warning(shop: Shop) -> None:
    shop.file.write_text(FILE.format(url=shop.receiver.url) + 'tags = ["Trendyng", "trending"]\ntypes = ["x"]\n')
    listed = shop("webhooks", "list")
    assert (listed.code, listed.err.splitlines()) == (0, [
        "warning: endpoint shop: no template has the tag 'Trendyng'; did you mean 'Trending'?",
        "warning: endpoint shop: no template has the type 'x'; `template-sync types` shows all.",
    ])  # fmt: skip


def test_rules_are_not_compared_with_an_empty_catalog(sqlite: Database, receiver: Receiver, tmp_path: Path) -> None:
    shop = Shop(sqlite, receiver, tmp_path)
    shop.file.write_text(FILE.format(url=receiver.url) + 'tags = ["x"]\n')
    assert shop("db", "upgrade").code == 0
    assert (shop("webhooks", "list").code, shop("webhooks", "list").err) == (0, "")


@pytest.mark.parametrize(("more", "kind"), [("", "template.added"), ('per = "run"\n', "catalog.changed")])
def test_a_change_sent_as_a_test_has_another_message_id(shop: Shop, more: str, kind: str) -> None:
    shop.file.write_text(FILE.format(url=shop.receiver.url) + more)
    assert shop("webhooks", "test", "shop", "--change", "2").out == "shop: 204\n"
    sent = shop.receiver.requests.pop()
    body = json.loads(sent.body)
    data = body["data"]["changes"][0] if more else body["data"]
    assert (body["type"], data["seq"], data) == (kind, 2, shop.json("changes", "--since", "1")[0])
    assert id_of(sent).startswith("tst_")
    assert positions(shop.database.engine) == []


def test_a_tested_change_that_is_missing_or_not_selected_is_reported(shop: Shop) -> None:
    for seq in (3, 4, 99999):
        missing = shop("webhooks", "test", "shop", "--change", str(seq))
        assert (missing.code, f"The feed has no change {seq}." in missing.err) == (2, True)
    assert shop.receiver.requests == []
    shop.file.write_text(FILE.format(url=shop.receiver.url) + 'kinds = ["removed"]\n')
    sent = shop("webhooks", "test", "shop", "--change", "1")
    assert (sent.code, sent.err) == (0, "The rules of shop do not select change 1; it is sent for the test only.\n")


def test_an_invalid_file_stops_deliveries_and_the_daemon_but_not_status(shop: Shop) -> None:
    shop("webhooks", "deliver")
    before = len(shop.receiver.requests)
    shop.file.write_text(FILE.format(url="http://shop.example/") + 'kind = ["added"]\n')
    for arguments in (["webhooks", "deliver"], ["daemon"]):
        refused = shop(*arguments)
        assert refused.code == 78
        assert "endpoint shop: url: expected an https:// URL" in refused.err
        assert "endpoint shop: kind: no such key" in refused.err
    assert "1 endpoint, all up to date" in shop("status").out
    (check,) = [each for each in shop.json("doctor") if each["name"] == "webhooks"]
    assert (check["result"], "kind: no such key" in check["seen"]) == ("failed", True)
    assert len(shop.receiver.requests) == before


def test_an_endpoint_that_is_removed_or_disabled_gets_no_message_and_keeps_its_position(shop: Shop) -> None:
    shop("webhooks", "deliver")
    sync(records(3), shop.database.engine)
    shop.file.write_text(FILE.format(url=shop.receiver.url) + "enabled = false\n")
    assert shop("webhooks", "deliver").code == 0
    assert "not enabled" in shop("webhooks", "list").out
    shop.file.write_text("")
    assert shop("webhooks", "deliver").code == 0
    assert "webhooks" not in shop("status").out
    shop.file.write_text(FILE.format(url=shop.receiver.url))
    shop("webhooks", "deliver")
    assert shop.receiver.abouts == ["1", "2", "3"]


def test_prune_warns_of_undelivered_changes(shop: Shop) -> None:
    shop("webhooks", "deliver")
    for count in (3, 4, 5):
        sync(records(count), shop.database.engine)
    assert endpoints_passed(positions(shop.database.engine), 3) == []
    assert endpoints_passed(positions(shop.database.engine), 4) == ["shop"]
    assert "undelivered changes of webhook endpoint shop would be deleted" in shop("prune", "--keep-runs", "1", "--dry-run").err
    warning = "undelivered changes of webhook endpoint shop were deleted; it will be paused as lost."
    assert warning in shop("prune", "--keep-runs", "1").err
    assert shop("webhooks", "deliver").code == 75
    assert "paused (lost:pruned)" in shop("webhooks", "list").out
    assert shop.receiver.abouts == ["1", "2"]


def test_changes_has_the_filters_of_webhooks(shop: Shop) -> None:
    catalog = records(60)
    sync(catalog, shop.database.engine)
    catalog[0]["Title_en"] = "Renamed"
    sync(catalog[:-1], shop.database.engine)

    def seqs(*arguments: str) -> list[int]:
        return [change["seq"] for change in shop.json("changes", *arguments)]

    assert seqs("--kind", "removed") == [62]
    assert seqs("--kind", "removed", "--kind", "changed") == [61, 62]
    assert seqs("--field", "title_en") == [61]
    assert seqs("--field", "title_en", "--tag", "unknown") == []
    assert seqs("--tag", "trending", "--since", "59") == [60, 61, 62]
    assert seqs("--kind", "added") == list(range(11, 61))  # the newest 50 that match, not the matching ones of the newest 50
    assert "newest 50" in shop("changes", "--kind", "added").err
    assert shop("changes", "--kind", "added", "--field", "title").code == 2
    assert shop("changes", "--field", "titel").code == 2


@pytest.mark.parametrize(("rest", "quoted"), [
    ("/services/T0AB/B1CD/q9Zt", "q9Zt"),
    ("/services/T0AB/B1CD/q9Zt", "/B1CD/q9Zt"),
    ("/in?token=s3cr%2Fet", "s3cr/et"),
    ("/in?token=s3cr%2Fet", "s3cr%2Fet"),
    ("/in?token=two+words", "two words"),
    ("/bot123:AAEtok/send", "AAEtok"),
])  # fmt: skip
def test_parts_of_the_url_in_a_response_are_neither_stored_nor_shown_nor_logged(shop: Shop, rest: str, quoted: str) -> None:
    shop.file.write_text(FILE.format(url=shop.receiver.base + rest))
    shop.receiver.behave = respond(404, f"nothing at {quoted}!".encode())
    assert shop("webhooks", "test", "shop").code == 75
    assert shop("webhooks", "deliver", SYNC_LOG_LEVEL="debug").code == 75
    assert "404" in shop("webhooks", "list").out + shop("status").out
    (stored,) = positions(shop.database.engine)
    for text in (*shop.output, stored.last_answer or "", str(shop.database.dump())):
        assert quoted not in text
