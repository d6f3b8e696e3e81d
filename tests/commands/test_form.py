"""The command `form`: schema, example, validation with its exit codes, request."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sync import Catalog
from sync.sandbox.server import Sandbox
from tests.builders import record
from tests.command_line import Result, environment, of_sandbox, template_sync

if TYPE_CHECKING:
    from pathlib import Path

VALID = {"template_id": "1", "img_urls": ["https://a.example/1.png"], "resolution": "720p"}
HOSTILE = "\x1b[2J\u202e'\"`$(id)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog in which 1 and a hostile template are present, and 2 is removed."""
    folder = tmp_path_factory.mktemp("form")
    hostile = record("3", Title_en=HOSTILE, InputRequirement=HOSTILE, ConsumeItems=[{"Resolution": HOSTILE, "Credit": 1}])
    with Sandbox([record("1"), record("2"), hostile]) as server:
        assert template_sync("run", folder=folder, variables=of_sandbox(server)).code == 0
        server.replace([record("1"), hostile])
        assert template_sync("run", folder=folder, variables=of_sandbox(server)).code == 0
    return folder


def form(folder: Path, *arguments: str, given: Any = None) -> Result:
    text = given if isinstance(given, str) or given is None else json.dumps(given)
    return template_sync("form", *arguments, folder=folder, input=text)


def test_an_example_is_valid_and_an_invalid_input_exits_with_1_and_its_problems(folder: Path) -> None:
    example = form(folder, "1", "--example", "--resolution", "720p").out
    assert json.loads(example) == {**VALID, "img_urls": ["https://example.com/image-1.png"]}
    valid = form(folder, "1", "--validate", "-", given=example)
    assert (valid.code, valid.out, valid.err) == (0, "", "The input is valid.\n")
    invalid = form(folder, "1", "--validate", "-", given={**VALID, "resolution": "4k", "img_urls": []})
    assert invalid.code == 1
    assert invalid.out.splitlines() == [
        "img_urls: must hold 1 image, not 0",
        'resolution: must be one of "480p", "720p", not "4k"',
    ]


def test_a_file_is_validated_like_stdin_and_the_result_can_be_json(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(json.dumps({**VALID, "img_urls": ["/tmp/a.png"]}))
    invalid = form(folder, "1", "--json", "--validate", str(tmp_path / "input.json"))
    message = 'must be an http or https URL (no Base64, no local path), not "/tmp/a.png"'
    problem = {"field": "img_urls", "path": "img_urls[0]", "message": message}
    assert invalid.code == 1
    assert json.loads(invalid.out) == {"template_id": "1", "valid": False, "problems": [problem], "removed_at": None}
    valid = form(folder, "1", "--json", "--validate", "-", given=VALID)
    assert (valid.code, json.loads(valid.out)["valid"], valid.err) == (0, True, "")


def test_a_whole_request_instead_of_its_input_is_recognised(folder: Path) -> None:
    request = json.loads(form(folder, "1", "--request").out)
    invalid = form(folder, "1", "--validate", "-", given=request["body"])
    assert (invalid.code, "give only its `input`" in invalid.err) == (1, True)
    assert form(folder, "1", "--validate", "-", given=request["body"]["input"]).code == 0


@pytest.mark.parametrize(("given", "reason"), [
    ("", "Expecting value: line 1 column 1"),
    ('{"a": 1', "Expecting"),
    ("[" * 200_000, "it is nested too deeply"),
    ("[NaN]", "NaN is not a JSON number"),
    ('{"resolution": "480p", "resolution": "720p"}', "the key 'resolution' is repeated in an object"),
    ("1" * 5000, "Exceeds the limit"),
], ids=["empty", "truncated", "deep", "NaN", "duplicate key", "long"])  # fmt: skip
def test_invalid_json_exits_with_2(folder: Path, given: str, reason: str) -> None:
    refused = form(folder, "1", "--validate", "-", given=given)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"error: stdin is not JSON: {reason}")
    assert len(refused.err.splitlines()) == 1


def test_an_unreadable_file_exits_with_2(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'"\xe4"')
    for name, reason in ((".", "Is a directory"), ("no\x1bsuch", "No such file or directory")):
        refused = form(folder, "1", "--validate", name)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err == f"error: {name.encode('unicode_escape').decode()} cannot be read: {reason}.\n"
    endless = form(folder, "1", "--validate", "/dev/zero")
    assert (endless.code, endless.err) == (2, "error: /dev/zero has more than 16777216 bytes.\n")
    latin = form(folder, "1", "--validate", str(tmp_path / "latin"))
    assert (latin.code, "it is not UTF-8 text" in latin.err) == (2, True)


@pytest.mark.long
@pytest.mark.parametrize(("arguments", "message"), [
    (["1", "--example", "--validate", "-"], "cannot be combined"),
    (["1", "--example", "--resolution", "4k"], "there is no price at '4k'; there is one at 480p, 720p"),
    (["1", "--request", "--resolution", "4k"], "there is no price at '4k'"),
    (["2"], "Template 2 was removed at "),
    (["2", "--example"], "Template 2 was removed at "),
    (["2", "--request"], "Template 2 was removed at "),
    (["2", "--validate", "-"], "Template 2 was removed at "),
], ids=" ".join)  # fmt: skip
def test_an_invalid_call_of_form_exits_with_2_without_output(folder: Path, arguments: list[str], message: str) -> None:
    refused = form(folder, *arguments, given=VALID)
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err


def test_the_form_of_a_removed_template_is_printed_on_request_and_marked(folder: Path) -> None:
    schema = form(folder, "2", "--removed")
    assert "warning: template 2 was removed at " in schema.err
    marked = json.loads(schema.out)
    assert marked["deprecated"] is True
    assert marked["$comment"].startswith("This template was removed at ")
    assert json.loads(form(folder, "2", "--removed", "--request").out)["removed_at"]
    checked = form(folder, "2", "--removed", "--json", "--validate", "-", given={**VALID, "template_id": "2"})
    assert (checked.code, bool(json.loads(checked.out)["removed_at"])) == (0, True)
    present = json.loads(form(folder, "1", "--removed").out)
    assert not present.keys() & {"deprecated", "$comment"}


def test_the_request_equals_that_of_the_python_api(folder: Path) -> None:
    with Catalog(f"sqlite:///{folder / 'templates.db'}") as catalog:
        for template_id in ("1", "2", "3"):
            wanted = catalog.form(template_id)
            printed = json.loads(form(folder, template_id, "--removed", "--request").out)
            assert wanted.request(wanted.example(), base_url=printed["url"].partition("/api/")[0]) == printed


def test_the_request_has_the_configured_origin_and_no_key(folder: Path) -> None:
    key = "ak_" + "k" * 32
    variables = {"CRUN_BASE_URL": "https://api.crunai.com", "CRUN_API_KEY": key}
    made = template_sync("form", "1", "--request", folder=folder, variables=variables)
    assert json.loads(made.out)["url"] == "https://api.crunai.com/api/v1/client/job/CreateTask"
    assert key not in made.out + made.err


def test_control_characters_of_the_catalog_are_escaped(folder: Path) -> None:
    invalid = form(folder, "3", "--validate", "-", given={**VALID, "template_id": "3", "resolution": HOSTILE * 9})
    shown = [
        form(folder, "3", *arguments) for arguments in ([], ["--example"], ["--request"], ["--example", "--resolution", "x"])
    ]
    for result in (invalid, *shown):
        text = (result.out + result.err).replace("\n", "")
        assert text.isprintable()
        assert "\\u001b" in text or "\\x1b" in text
    assert (invalid.code, len(invalid.out.splitlines())) == (1, 1)


def test_without_the_extra_only_validation_fails_with_the_name_of_the_extra(folder: Path) -> None:
    code = "import sys; sys.modules['jsonschema'] = None; sys.argv[0] = 'template-sync'; from sync.__main__ import main; main()"
    done = [
        subprocess.run(
            [sys.executable, "-c", code, "form", "1", *arguments],
            cwd=folder, env=environment(), input="{}", capture_output=True, text=True, check=False,
        )
        for arguments in (["--request"], ["--validate", "-"])
    ]  # fmt: skip
    assert [each.returncode for each in done] == [0, 78]
    expected = (
        "error: Checking an input needs jsonschema, which is not installed.\n"
        "  → Install this program with its extra validate: in a checkout, pip install '.[validate]'.\n"
    )
    assert done[1].stderr == expected
