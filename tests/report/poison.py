"""The sample report with every free text replaced by an attack."""

import typing

import msgspec

from hardlimit.audit import AuditReport

ATTACK = (
    "<script>window.hacked=1</script><img src=x onerror=\"window.hacked=1\"><svg onload='window.hacked=1'>"
    "\"'></title></style></script></textarea><!--]]>javascript:window.hacked=1 {{ 7*191 }} ${7*191} "
    "\x1b[31mred\x1b[0m\x07\x00\r\u202eesrever\u2066\u200b\U000e0041[bold]markup[/bold] " + "W" * 400
)
LINK = "javascript:window.hacked=1"
KEPT = {("Measurement", "name"), ("ResourceVerdict", "claims"), ("Statement", "id")}
"""Fields that keep their values, so that known charts are drawn and claims are found (unless `names` are poisoned)."""


def poisoned(report: AuditReport, *, names: bool = False) -> AuditReport:
    """Attack through every text field; through the names and coordinates of measurements too, if asked."""
    return _poison(report, names=names)


def _poison(value, *, names):
    if isinstance(value, msgspec.Struct):
        changes = {}
        for field in msgspec.structs.fields(type(value)):
            old = getattr(value, field.name)
            kept = (type(value).__name__, field.name) in KEPT and not names
            if kept or typing.get_origin(field.type) is typing.Literal:
                continue
            if _is_literal(field.type) and isinstance(old, str):
                continue
            if field.name == "url" and old is not None:
                changes[field.name] = LINK
            else:
                changes[field.name] = _poison(old, names=names)
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(_poison(item, names=names) for item in value)
    if isinstance(value, dict):
        return {(key + ATTACK if names else key): _poison(item, names=names) for key, item in value.items()}
    # An enumeration's members are strings, too, but of the project's own making.
    return value + ATTACK if type(value) is str else value


def _is_literal(annotation) -> bool:
    return any(typing.get_origin(part) is typing.Literal for part in typing.get_args(annotation))
