"""What the scripted model server does when it is asked in Anthropic Messages, where the model's name says what happens."""

import asyncio
import json
from pathlib import Path

RECORDINGS = Path(__file__).parent.parent / "fixtures" / "anthropic"

TEXT = ["Water", " finds", " its", " way", ",", " drop", " by", " drop."]
USAGE = {"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 8}

GAP = 0.02  # seconds between two tokens
SILENCE = 1.5  # long beside the keep-alives that the tests configure
LIFETIME = 60  # seconds that "for ever" lasts

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def message(content, stop_reason):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted"}
    return {**head, "content": content, "stop_reason": stop_reason, "stop_sequence": None, "usage": USAGE}


def error(status, text):
    return {"type": "error", "error": {"type": ERRORS[status], "message": text}, "request_id": "req_upstream"}


async def event(reply, kind, **more):
    data = json.dumps({"type": kind, **more}, ensure_ascii=False)
    await reply.send(f"event: {kind}\ndata: {data}\n\n".encode())


async def start(reply):
    await reply.open()
    await event(reply, "message_start", message=message([], None))
    await event(reply, "content_block_start", index=0, content_block={"type": "text", "text": ""})


async def say(reply, tokens, gap=GAP):
    for token in tokens:
        await event(reply, "content_block_delta", index=0, delta={"type": "text_delta", "text": token})
        await asyncio.sleep(gap)


async def finish(reply):
    await event(reply, "content_block_stop", index=0)
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    await event(reply, "message_delta", delta=delta, usage={"output_tokens": 8})
    await event(reply, "message_stop")
    await reply.write(b"0\r\n\r\n")


async def text(reply):
    await start(reply)
    await say(reply, TEXT)
    await finish(reply)


async def slow(reply):
    """Says nothing for a while, begins, and thinks once more before it speaks."""
    await asyncio.sleep(SILENCE)
    await start(reply)
    await asyncio.sleep(SILENCE)
    await say(reply, TEXT)
    await finish(reply)


async def endless(reply):
    await start(reply)
    await say(reply, (f"{number} " for number in range(LIFETIME * 20)), gap=0.05)


async def silent(reply):
    """Headers, then nothing."""
    await reply.open()
    await asyncio.sleep(LIFETIME)


async def hang(_reply):
    """Not even headers."""
    await asyncio.sleep(LIFETIME)


async def cut(reply):
    """Five tokens, then the connection closes in the middle of an event."""
    await start(reply)
    await say(reply, TEXT[:5])
    await reply.send(b"event: content_block_delta\ndata: {")
    reply.cut()


async def error_event(reply):
    """Three tokens, then an error where the fourth would be."""
    await start(reply)
    await say(reply, TEXT[:3])
    await event(reply, **{"kind": "error", **error(529, "The model fell asleep.")})
    await reply.write(b"0\r\n\r\n")


async def refuse(reply, status):
    more = ["retry-after: 1"] if status == 429 else []
    await reply.json(status, error(status, f"Scripted to answer {status}."), *more)


async def late_529(reply):
    """Refuses, but takes its time."""
    await asyncio.sleep(SILENCE)
    await refuse(reply, 529)


async def recording(reply):
    """Says what a real model once said."""
    await reply.open()
    recorded = (RECORDINGS / f"{reply.request['model']}.sse").read_bytes()
    for frame in recorded.split(b"\n\n")[:-1]:
        await reply.send(frame + b"\n\n")
    await reply.write(b"0\r\n\r\n")


async def whole(reply):
    """The answer to a request that does not stream."""
    if reply.request["model"] == "hang":
        return await hang(reply)
    await reply.json(200, message([{"type": "text", "text": "".join(TEXT)}], "end_turn"))


async def count(reply):
    await reply.json(200, {"input_tokens": 3})


def refusal(status):
    return lambda reply: refuse(reply, status)


SCRIPTS = [text, slow, endless, silent, hang, cut, error_event, late_529]
STREAMS = {script.__name__.replace("_", "-"): script for script in SCRIPTS}
STREAMS |= {path.stem: recording for path in RECORDINGS.glob("*.sse")}
REFUSALS = {f"status-{status}": refusal(status) for status in ERRORS}


def script_for(path, request):
    """The script for a request below /v1/messages."""
    model = request.get("model", "")
    if path == "/v1/messages/count_tokens":
        return count
    if model in REFUSALS:
        return REFUSALS[model]
    return STREAMS.get(model, refusal(404)) if request.get("stream") else whole
