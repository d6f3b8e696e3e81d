"""Completion in the shells that docs/operations.md names, and the man page that is made from the help."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sync.config.options import OPTIONS
from tests.test_docs import ROOT

SCRIPTS = {
    "bash": """
        eval "$(_TEMPLATE_SYNC_COMPLETE=bash_source template-sync)"
        COMP_WORDS=(template-sync {words}); COMP_CWORD={number}
        _template_sync_completion template-sync
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        autoload -Uz compinit; compinit -u -D
        eval "$(_TEMPLATE_SYNC_COMPLETE=zsh_source template-sync)"
        _describe() {{ print -rl -- "${{(@P)3}}" }}  # prints the candidates, which a terminal would show
        words=(template-sync {words}); CURRENT=$(( {number} + 1 ))
        _template_sync_completion
    """,
    "fish": """
        _TEMPLATE_SYNC_COMPLETE=fish_source template-sync | source
        complete -C "template-sync {words}"
    """,
}


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(("words", "number", "first"), [("web", 1, "webhooks"), ("list --ty", 2, "--type")])
def test_each_shell_completes_commands_and_options(shell: str, words: str, number: int, first: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = SCRIPTS[shell].format(words=words, number=number)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [shell, "-c", script], env={"PATH": path, "HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert re.match(rf"{first}\b", ran.stdout), (ran.stdout, ran.stderr)


def test_the_man_page_has_every_command_and_setting_and_no_warning(tmp_path: Path) -> None:
    page = tmp_path / "template-sync.1"
    with page.open("w") as output:
        subprocess.run([sys.executable, ROOT / "docs" / "write_man.py"], stdout=output, check=True)
    text = page.read_text().replace("\\-", "-")
    sections = re.findall(r'^\.SS "(.+?) \[OPTIONS\]', text, re.MULTILINE)
    assert {"run", "db backup", "webhooks test"} <= set(sections)
    assert all(f"\\fB{option.variable}\\fR" in text for option in OPTIONS)
    assert "\\fB76\\fR\ninvalid response, or the walk could not be verified" in text
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    shown = subprocess.run(["groff", "-man", "-Kutf8", "-Tutf8", "-ww", page], capture_output=True, text=True, check=True)
    assert (shown.stderr, "TEMPLATE-SYNC(1)" in shown.stdout) == ("", True)
