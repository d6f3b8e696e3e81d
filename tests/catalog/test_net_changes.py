"""Two whole catalogs compared without the feed between them."""

from __future__ import annotations

from sync.catalog.diff import net_changes
from tests.catalog.runs import base, document_of


def test_two_whole_catalogs_are_compared_by_kind_and_id() -> None:
    before, after = (
        {written["template_id"]: written for written in map(document_of, records)}
        for records in ([base("1"), base("2"), base("9")], [base("2", Title="x"), base("9"), base("3")])
    )
    found = net_changes(before, after)
    assert [(each["kind"], each["template_id"]) for each in found] == [("added", "3"), ("changed", "2"), ("removed", "1")]
    assert [each["document"] for each in found] == [after["3"], after["2"], None]
    assert (found[0]["fields"], found[2]["fields"]) == ([], []), "whoever reads `fields` of every change of `diff` finds it"
    assert found[1]["fields"] == [{"field": "title", "old": "战斗游戏", "new": "x"}]
    assert found[2]["before"] == before["1"]


def test_what_means_the_same_is_not_among_them() -> None:
    assert net_changes({"1": document_of(base())}, {"1": document_of(base(Cover="https://m.example/c.jpeg?sig=2"))}) == []
