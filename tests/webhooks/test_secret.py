"""Only what was made as a secret is taken for one."""

from __future__ import annotations

from base64 import b64encode

import pytest

from sync.webhooks.endpoints import check_secret, secret_forms

GOOD = "whsec_" + b64encode(bytes(range(24))).decode()


def test_24_to_64_bytes_are_a_secret() -> None:
    for length in (24, 32, 64):
        secret = "whsec_" + b64encode(bytes(length)).decode()
        assert check_secret(secret) == secret


@pytest.mark.parametrize("text", [
    "", "whsec_", "plain secret text", GOOD.removeprefix("whsec_"), f"v1,{GOOD}", f"whsec_{GOOD}", GOOD[:-4], GOOD + "\n",
    GOOD + "=",    "whsec_" + b64encode(bytes(23)).decode(), "whsec_" + b64encode(bytes(65)).decode(),
    "whsec_" + "-_" * 16, "whsec_ünïcode",
    "whsk_" + b64encode(bytes(32)).decode(),
])  # fmt: skip
def test_what_is_none_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^whsec_ and then 24 to 64 random bytes in base64, with its = at the end$") as raised:
        check_secret(text)
    assert len(text) < 8 or text not in str(raised.value)


def test_it_is_spelled_as_it_stands_bare_and_as_the_bytes_that_sign() -> None:
    key = b"a secret of letters, say"
    written = b64encode(key).decode()
    assert secret_forms(f"whsec_{written}") == [f"whsec_{written}", written, key.hex(), key.hex().upper(), key.decode()]
    assert secret_forms("whsec_" + b64encode(b"\xff" * 24).decode())[2:] == ["ff" * 24, "FF" * 24]
