"""PURE. The catalog's terms in English and Chinese: fields, the words of its enumerations, changed values, reasons.

The vendor does not document its enumerations, so an unknown word in capitals is shown in lower case without underscores.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sync.catalog.feed import PRICE
from sync.terminal.lines import value_text
from sync.text import escape_bidi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.catalog.feed import FieldChange

    Both = tuple[str, str]
    """A text in English and in Chinese."""

FIELDS: Mapping[str, Both] = {
    "template_id": ("Template ID", "模板编号"), "title": ("Chinese title", "中文标题"), "title_en": ("English title", "英文标题"),
    "tags": ("Tags", "标签"), "template_type": ("Type", "类型"), "input_requirement": ("Input", "图片要求"),
    "input_num": ("Images", "图片数"), "duration_ms": ("Length", "时长"), "cover_aspect_ratio": ("Cover ratio", "封面画幅"),
    "aspect_ratios": ("Supported ratios", "支持画幅"), "released_at": ("Released", "发布时间"),
    "media_id": ("Media ID", "媒体编号"), "service_id": ("Service ID", "服务编号"), "cover_url": ("Cover", "封面地址"),
    "preview_video_url": ("Preview", "预览地址"),
}  # fmt: skip
_ENUMERATIONS: Mapping[str, Both] = {
    "BEGIN_FRAME": ("First frame", "首帧"), "BEGIN_END_FRAME": ("First and last frame", "首尾帧"),
    "REFERENCE_IMAGE": ("Reference image", "参考图"), "ANY_IMAGE": ("Any image", "任意图片"),
    "SINGLE_PERSON": ("One person", "单人"), "DOUBLE_PERSON": ("Two people", "双人"),
    "SINGLE_PET": ("One pet", "单只宠物"), "PERSON_AND_PET": ("A person and a pet", "一人一宠"),
}  # fmt: skip
ENUMERATED = {"template_type", "input_requirement"}
"""The fields whose values are words of an enumeration."""
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*")
_REASONS: Mapping[str, Both] = {
    "more-images": ("more images", "图片数增加"), "fewer-images": ("fewer images", "图片数减少"),
    "images-stated": ("number of images stated", "图片数已注明"), "type": ("other type", "类型改变"),
    "requirement": ("other input", "图片要求改变"),
    "resolution-gone": ("without {}", "不再提供 {}"), "ratio-gone": ("without {}", "不再支持 {}"),
}  # fmt: skip


def field(name: str) -> Both:
    """Return the name of a field of the feed."""
    shown = escape_bidi(name)
    if name.startswith(PRICE):
        resolution = shown.removeprefix(PRICE)
        return f"Price at {resolution}", f"{resolution} 价格"
    return FIELDS.get(name, (shown, shown))


def word(value: str) -> Both:
    """Return a value of an enumeration; text in another form is left unchanged."""
    if value in _ENUMERATIONS:
        return _ENUMERATIONS[value]
    shown = value.replace("_", " ").capitalize() if _CAPITALS.fullmatch(value) else escape_bidi(value)
    return shown, shown


def reasons(found: tuple[str, ...]) -> Both:
    """Return why a change breaks callers."""
    parts = [each.partition(":") for each in found]
    pairs = [(_REASONS.get(name, (name, name)), escape_bidi(what)) for name, _, what in parts]
    return ", ".join(en.format(what) for (en, _), what in pairs), "，".join(zh.format(what) for (_, zh), what in pairs)


def change(changed: FieldChange) -> Both:
    """Return old → new of one field; for tags those gained and lost."""
    if changed["field"] == "tags":
        signs = [(sign, tag) for sign, side in (("+", "gained"), ("−", "lost")) for tag in changed.get(side, ())]
        pairs = [(f"{sign}{tag['name_en'] or tag['name']}", f"{sign}{tag['name']}") for sign, tag in signs]
        return escape_bidi("  ".join(en for en, _ in pairs)), escape_bidi("  ".join(zh for _, zh in pairs))
    (old, old_zh), (new, new_zh) = (value(changed["field"], changed[side]) for side in ("old", "new"))
    return f"{old} → {new}", f"{old_zh} → {new_zh}"


def value(name: str, value: Any) -> Both:
    """Return the value of a field of a document or of the feed."""
    if value in (None, []):
        return "none", "无"
    if name in ENUMERATED:
        return word(value)
    if isinstance(value, str):
        shown = escape_bidi(value) or '""'
    else:
        shown = f"{value / 1000:.1f} s" if name == "duration_ms" else value_text(value)
    return shown, shown
