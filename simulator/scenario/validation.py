"""From pydantic's errors to problems that a user can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from simulator.core.errors import Problem, did_you_mean
from simulator.scenario.nodes import Node, Path

T = TypeVar("T")
K = TypeVar("K", str, int)
_UNKNOWN, _FORBIDDEN = "unknown_key", "extra_forbidden"
_SHOWN = 100
"""Problems that one validation tells; of more, only the number."""


class Strict(BaseModel):
    """A mapping whose keys are all known, with values taken as written: no text for a number, no 1 for true."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """What keys that others have are called here."""
    spelled: ClassVar[Mapping[str, str]] = {}
    """Names of other products that are taken too, and the key that each of them is here."""
    unfolded: ClassVar[tuple[str, ...]] = ()
    """Mappings of other products whose keys stand here without them, and are taken from inside them too."""
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _remember_the_known_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        data, places = _ours(data, cls.spelled, cls.unfolded)
        try:
            return handler(data)
        except ValidationError as error:
            details = [_written(_reraise(detail, cls), places) for detail in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, details) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Take the other spellings too."""
        schema = handler(core)
        known = handler.resolve_ref_schema(schema).get("properties", {})
        others = {other: known[key] for other, key in cls.spelled.items() if key in known}
        blocks = {key: {"type": "object", "properties": {**known, **others}} for key in cls.unfolded if known}
        known.update(others | blocks)
        return schema


def _ours(data: Any, spelled: Mapping[str, str], unfolded: tuple[str, ...]) -> tuple[Any, dict[str, tuple[str, ...]]]:
    """Return a mapping under our own keys, and where each that is written otherwise stands."""
    if not isinstance(data, Mapping) or not (spelled or unfolded):
        return data, {}
    places: dict[str, tuple[str, ...]] = {}
    result: dict[str, Any] = {}
    for path, value in _flat(data, unfolded):
        name = path[-1]
        key = spelled.get(name, name) if isinstance(name, str) else name
        if key in result:
            other = ".".join(map(str, places.get(key, (key,))))
            text = f"{'.'.join(map(str, path))!r} says what {other!r} says, too"
            wrong = InitErrorDetails(type=complaint(text, "leave one of them out", at_key=True), loc=path, input=value)
            raise ValidationError.from_exception_data("scenario", [wrong])
        result[key] = value
        if path != (key,):
            places[key] = path
    return result, places


def _flat(data: Mapping[str, Any], unfolded: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], Any]]:
    for key, value in data.items():
        if key in unfolded and isinstance(value, Mapping):
            yield from (((key, name), inner) for name, inner in value.items())
        else:
            yield (key,), value


def _written(detail: InitErrorDetails, places: Mapping[str, tuple[str, ...]]) -> InitErrorDetails:
    """Place an error where its key is written."""
    first, *rest = detail.get("loc", ()) or ("",)
    place = places.get(first) if isinstance(first, str) else None
    return detail if place is None else {**detail, "loc": (*place, *rest)}


def keys(model: type[BaseModel]) -> list[str]:
    """Names of the keys of a mapping as they are written in a file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _reraise(detail: ErrorDetails, model: type[Strict]) -> InitErrorDetails:
    kind: Any = detail["type"]
    context = dict(detail.get("ctx") or {})
    if kind == _FORBIDDEN and len(detail["loc"]) == 1 and model is not Strict:
        key = str(detail["loc"][0])
        if key in model.renamed:
            kind, context = complaint(f"unknown key {key!r}", f"here it is {model.renamed[key]}", at_key=True), {}
        else:
            kind, context = PydanticCustomError(_UNKNOWN, "unknown key", {"known": keys(model)}), {}
    elif kind in (_UNKNOWN, *_OWN):
        kind, context = PydanticCustomError(kind, "{text}", context), {}
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=context)


_OWN = ("scenario",)


def complaint(text: str, hint: str = "", at_key: bool = False) -> PydanticCustomError:
    """Make the error that a validator of this package raises: what is wrong, and what to do about it."""
    return PydanticCustomError("scenario", "{text}", {"text": text, "hint": hint, "at_key": at_key})


def elsewhere(problems: Iterable[Problem]) -> PydanticCustomError:
    """Make the error that a validator raises when the problems stand in another file, each with its own place."""
    return PydanticCustomError("scenario", "elsewhere", {"problems": tuple(problems)})


def at(key: str | int, error: PydanticCustomError, value: Any = None) -> ValidationError:
    """Place the error of a validator at one key of the mapping that it looks at."""
    return ValidationError.from_exception_data("scenario", [InitErrorDetails(type=error, loc=(key,), input=value)])


def under(key: str | int, error: ValidationError) -> ValidationError:
    """Move all places of an error below one key."""
    return ValidationError.from_exception_data("scenario", _moved(key, error))


def _moved(key: str | int, error: ValidationError) -> list[InitErrorDetails]:
    details = error.errors(include_url=False)
    return [{**_reraise(detail, Strict), "loc": (key, *detail["loc"])} for detail in details]


def each(items: Iterable[tuple[K, Any]], validate: Callable[[K, Any], T]) -> list[T]:
    """Validate the values of a mapping or list one by one and raise what is wrong with all of them together."""
    result: list[T] = []
    wrong: list[InitErrorDetails] = []
    for key, value in items:
        try:
            result.append(validate(key, value))
        except ValidationError as error:
            wrong.extend(_moved(key, error))
        except PydanticCustomError as problem:
            wrong.append(InitErrorDetails(type=problem, loc=(key,), input=value))
    if wrong:
        raise ValidationError.from_exception_data("scenario", wrong)
    return result


def problems_of(error: ValidationError, node: Node, prefix: Path = ()) -> list[Problem]:
    """Turn the errors of one validation into problems, placed by the marks of ``node``.

    ``prefix`` leads from ``node`` to the part that was validated. Complaints about one place are joined.
    """
    found: dict[Path, tuple[str, str | None, bool]] = {}
    away: list[Problem] = []
    details = error.errors(include_url=False)
    for detail in details[:_SHOWN]:
        if "problems" in (detail.get("ctx") or {}):
            away.extend(detail["ctx"]["problems"])
            continue
        path = _path(detail, node, prefix)
        words = _words(detail, path)
        if path in found and words[0] not in found[path][0]:
            words = (f"{found[path][0]}; or {words[0]}", found[path][1] or words[1], words[2])
        found[path] = words
    more = [Problem(f"... and {len(details) - _SHOWN:,} more problems")] if len(details) > _SHOWN else []
    placed = [node.problem(path, text, hint, at_key=at_key) for path, (text, hint, at_key) in found.items()]
    return away + placed + more


def _path(detail: ErrorDetails, node: Node, prefix: Path) -> Path:
    """Return the keys of a location, without the names that pydantic gives to the members of a union."""
    here, path = node.find(prefix) or node, list(prefix)
    for position, part in enumerate(detail["loc"]):
        below = here.child(part)
        absent = detail["type"] == "missing" or detail["type"] in _OWN
        if below is not None:
            here = below
            path.append(part)
        elif absent and position == len(detail["loc"]) - 1:
            path.append(part)
    return tuple(path)


def _words(detail: ErrorDetails, path: Path) -> tuple[str, str | None, bool]:
    """Say what is wrong, what to do, and whether the caret belongs under the key."""
    kind, context, value = detail["type"], dict(detail.get("ctx") or {}), detail["input"]
    if kind in (_UNKNOWN, _FORBIDDEN):
        return f"unknown key {str(path[-1])!r}", _choices(str(path[-1]), context.get("known", ())), True
    if kind in _OWN:
        return str(context["text"]), str(context["hint"]).strip() or None, bool(context["at_key"])
    if kind == "missing":
        return f"{str(path[-1])!r} is missing", None, True
    if kind == "value_error":
        return str(context["error"]), None, False
    if kind == "literal_error":
        return f"{show(value)} is not one of {context['expected']}", _near(value, context["expected"]), False
    return _expected(kind, context, value), None, False


def _choices(key: str, known: Iterable[str]) -> str:
    if key[:1].isdigit():
        return "inside { } a comma ends a value: put a number that has commas in quotes"
    return did_you_mean(key, known, limit=20)


def _near(value: Any, expected: str) -> str | None:
    choices = [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",")]
    hint = did_you_mean(str(value), choices)
    return hint.partition(" Known")[0] if hint.startswith("Did") else None


_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "is_instance_of": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "none_required": "nothing (null)",
}


def _expected(kind: str, context: Mapping[str, Any], value: Any) -> str:
    bounds = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
    signs = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
    if kind in bounds:
        sign = bounds[kind]
        return f"{show(value)} is not allowed: it must be {signs[sign]} {context[sign]:g}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind in ("too_long", "string_too_long"):
        return f"too long: at most {context['max_length']}"
    wanted = _WANTED.get(kind)
    return f"{show(value)} is not {wanted}" if wanted else f"{show(value)}: {kind.replace('_', ' ')}"


def show(value: Any) -> str:
    """Write a value for a message, short."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
