"""The scripted model server in five dialects: below /speaks/DIALECT the model's name says what happens.

It is one story, told by each dialect's file frame by frame as that dialect's own servers do: the model thinks, says
something or calls two tools at once, is told what they answered, and says something. What it is asked is read as
strictly as those servers read it; what it understood is in the log, and what it would not take it answers with 400.
"""

import asyncio
import traceback
from dataclasses import asdict

from . import anthropic, gemini, ollama, openai_chat, openai_responses
from .story import ASLEEP, BUSY, CALLS, RETRY_AFTER, TEXT, THOUGHT, Asleep, endless, interrupted

DIALECTS = {
    "anthropic": anthropic,
    "gemini": gemini,
    "ollama": ollama,
    "openai-chat": openai_chat,
    "openai-responses": openai_responses,
}

GAP = 0.02  # seconds between two frames
SILENCE = 0.7  # long beside the keep-alives that the tests configure

ANSWER, THOUGHTS = ("text", TEXT), ("thoughts", THOUGHT)
STORIES = {
    "text": [ANSWER],
    "think": [THOUGHTS, ANSWER],
    "tools": [THOUGHTS, *(("call", call) for call in CALLS)],
}
BROKEN = {"error": interrupted, "endless": endless}


def parts_of(model, heard):
    """What the answer consists of."""
    if model in BROKEN:
        return [("text", BROKEN[model]())]
    is_answer = model == "slow" or (model == "tools" and heard.results)
    parts = STORIES["text" if is_answer else model]
    # Nobody shows thoughts without being asked for them.
    return [part for part in parts if heard.thinks or part is not THOUGHTS]


async def tell(reply, dialect, request, parts, pause=GAP):
    """Streams `parts`, with a `pause` before them and another after a few frames."""
    speaker = dialect.Speaker(request)
    await reply.head(200, dialect.CONTENT_TYPE, "transfer-encoding: chunked")
    await asyncio.sleep(pause)
    if beginning := speaker.begin():
        await reply.send(beginning)
    try:
        for index, (kind, content) in enumerate(parts):
            for number, frame in enumerate(getattr(speaker, kind)(index, content)):
                await reply.send(frame)
                await asyncio.sleep(pause if number == 3 else GAP)
        await reply.send(speaker.end(parts))
    except Asleep:
        await reply.send(speaker.failure(ASLEEP))
    await reply.write(b"0\r\n\r\n")


async def refuse(reply, dialect, model):
    """Asks to be asked again later; takes its time for it if it is late, too."""
    await asyncio.sleep(SILENCE if model == "late" else 0)
    headers = [f"retry-after: {RETRY_AFTER}"] if dialect is not gemini else []
    await reply.json(429, dialect.refusal(429, BUSY), *headers)


def script_for(path, request, entry):
    """The script for a request at /speaks/DIALECT/…, of which `entry` is the note in the log."""
    name, _, path = path.removeprefix("/speaks/").partition("/")
    dialect = DIALECTS[name]
    try:
        model, streams = dialect.asked(path, request)
        heard = dialect.hear(request)
        heard.check()
        entry.update(prompt=heard.prompt, model=model, heard=asdict(heard))
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
        problem = traceback.format_exc(limit=-1)
        return lambda reply: reply.json(400, dialect.refusal(400, problem))
    if model in ("busy", "late"):
        return lambda reply: refuse(reply, dialect, model)
    parts = parts_of(model, heard)
    if streams:
        return lambda reply: tell(reply, dialect, request, parts, SILENCE if model == "slow" else GAP)
    return lambda reply: reply.json(200, dialect.whole(request, parts))
