"""What the scripted model server tells, whichever dialect it tells it in, and what it understands of what it is asked."""

import json
from dataclasses import dataclass, field
from typing import NamedTuple

THOUGHT = ["The", " user", " asks", " about", " water."]
TEXT = ["Water", " finds", " its", " way", ",", " drop", " by", " drop."]


class Call(NamedTuple):
    """A call of a tool. Its arguments are JSON, sent in `pieces` where a dialect can."""

    number: int
    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self):
        return "".join(self.pieces)


# Two at once; one has characters that JSON may write in several ways.
CALLS = [
    Call(0, "gauge", ('{"ri', 'ver":"', "Elbe", '"}')),
    Call(1, "weather", ('{"city":', '"Köln"', "}")),
]

# Tokens: of the prompt, those of it that came from a cache, of the answer, and those of it that were thoughts.
INPUT, CACHED, OUTPUT, REASONING = 11, 4, 13, 5

# What a provider wants to see again with the thoughts. Base64, as all of them have it.
MARK = "EqQBCgIYAhIk+/cmVhZCBtZQAA=="

ASLEEP = "The model fell asleep."
BUSY = "Too many ask at once."
RETRY_AFTER = 7


class Asleep(Exception):
    """The answer breaks off here."""


def interrupted():
    """Three tokens, then an error where the fourth would be."""
    yield from TEXT[:3]
    raise Asleep


def endless():
    """More tokens than anybody waits for."""
    for number in range(3000):
        yield f"{number} "


@dataclass
class Heard:
    """What a request says. Names of fields, and what is written where, are the dialect's affair."""

    prompt: str = ""
    images: list = field(default_factory=list)  # media types and base64
    tools: list = field(default_factory=list)  # names and JSON Schemas
    thinks: bool = False  # Whether the model is told to show thoughts
    thoughts: list = field(default_factory=list)  # those of earlier turns
    marks: list = field(default_factory=list)  # on them
    calls: list = field(default_factory=list)  # ids, names and arguments
    results: list = field(default_factory=list)  # names and texts

    def hear_call(self, id, name, arguments):
        self.calls.append([id, name, json.loads(arguments) if isinstance(arguments, str) else arguments])

    def hear_result(self, id, text):
        """A result that refers to its call by `id`. To refer to none, or to one twice, is refused by all servers."""
        names = [name for known, name, _ in self.calls if known == id]
        assert len(names) == 1, f"{names} are called {id!r}, of {self.calls}"
        assert names[0] not in [name for name, _ in self.results], f"{id!r} has two results"
        self.results.append([names[0], text])

    def check(self):
        """Every call must have its result."""
        called = [name for _, name, _ in self.calls]
        assert sorted(called) == sorted(name for name, _ in self.results), f"{called} have only {self.results}"
