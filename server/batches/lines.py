"""One line of a batch: what it asks, or what is wrong with it. Pure."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from server.batches.errors import CustomIdError, LineNotJsonError, NotAnObjectError
from server.batches.schemas import LONGEST_CUSTOM_ID
from server.schemas import SolveRequest

_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_CUSTOM_ID = "custom_id"


@dataclass(frozen=True)
class ReadLine:
    """A line's request, or the error that it is answered with."""

    custom_id: str
    asked: SolveRequest | Exception


def is_blank(line: bytes) -> bool:
    """Whether there is nothing in a line: such lines are passed over."""
    return not line.strip()


def is_object(line: bytes) -> bool:
    """Whether a line is a JSON object, whatever is in it."""
    try:
        return isinstance(_JSON.validate_json(line), dict)
    except ValidationError:
        return False


def read_line(line: bytes, number: int) -> ReadLine:
    """Read line `number`, from 1, which is its `custom_id` too unless it has one of its own."""
    otherwise = str(number)
    try:
        value = _JSON.validate_json(line)
    except ValidationError as error:
        return ReadLine(otherwise, LineNotJsonError(error.errors()[0]["msg"]))
    if not isinstance(value, dict):
        return ReadLine(otherwise, NotAnObjectError())
    custom_id = value.pop(_CUSTOM_ID, otherwise)
    if not isinstance(custom_id, str) or len(custom_id) > LONGEST_CUSTOM_ID:
        wrong = f"{_CUSTOM_ID}: expected text of up to {LONGEST_CUSTOM_ID} characters"
        return ReadLine(otherwise, CustomIdError(wrong))
    try:
        return ReadLine(custom_id, SolveRequest.model_validate(value))
    except ValidationError as error:
        return ReadLine(custom_id, error)
