#!/usr/bin/env python3
"""A scripted model server: OpenAI Chat Completions over plain HTTP/1.1, where the model's name says what happens.
What it does when asked in Anthropic Messages is in `messages.py`; below /speaks it speaks each of `dialects`.

It notes of every request how it ended. `GET /_log?prompt=TEXT` tells, once the request has ended or after `wait`
seconds (3 unless given): a prompt that no other test uses finds a request again, whichever client sent it.

Python's standard library only. Prints its URL, then serves until it is killed.
"""

import asyncio
import json
import time
from urllib.parse import parse_qsl, urlsplit

import dialects
import messages

TEXT = ["Water", " finds", " its", " way", ",", " drop", " by", " drop."]
THOUGHT = ["The", " user", " asks", " about", " water."]
WIDE_TEXT = ["Grüße", " ‹", "水", "› ", "🚰", "👩‍🔧"]
ARGUMENTS = ['{"ri', 'ver":"', "Elbe", '"}']
USAGE = {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}

GAP = 0.02  # seconds between two tokens
SILENCE = 1.5  # long beside the keep-alives that the tests configure, short beside the patience of whoever runs them
LIFETIME = 60  # seconds that "for ever" lasts, so that a failed test leaves nothing running

ERRORS = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
}

log = []


class Cut(Exception):
    """The script ends by closing the connection."""


# ---- One response -------------------------------------------------------------------------------


class Reply:
    """Writes one response, and notes in the log what it wrote."""

    def __init__(self, writer, request, entry):
        self.writer, self.request, self.entry = writer, request, entry

    async def head(self, status, content_type, *more):
        lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {content_type}", "x-request-id: req_upstream", *more]
        await self.write("\r\n".join([*lines, "", ""]).encode())

    async def json(self, status, value, *more):
        body = json.dumps(value).encode()
        await self.head(status, "application/json", f"content-length: {len(body)}", *more)
        self.entry["sent"] = body.decode("latin-1")
        await self.write(body)

    async def open(self):
        await self.head(200, "text/event-stream", "transfer-encoding: chunked")

    async def send(self, data):
        """Sends a piece of an event stream: `data` is bytes, and need not end where an event or a character does."""
        self.entry["sent"] += data.decode("latin-1")  # a character for each byte
        await self.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, data, before=""):
        await self.send(event(data, before))

    async def delta(self, delta, before=""):
        await self.event(chunk(delta), before)

    async def say(self, tokens, field="content"):
        for token in tokens:
            await self.delta({field: token})
            await asyncio.sleep(GAP)

    async def finish(self, reason="stop"):
        """Ends a whole answer."""
        await self.event(chunk({}, reason))
        if (self.request.get("stream_options") or {}).get("include_usage"):
            await self.event({**chunk({}), "choices": [], "usage": USAGE})
        await self.event("[DONE]")
        await self.write(b"0\r\n\r\n")

    def cut(self):
        """Closes the connection."""
        raise Cut

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()


def event(data, before=""):
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{before}data: {text}\n\n".encode()


def chunk(delta, finish_reason=None):
    return answer("chat.completion.chunk", {"delta": delta}, finish_reason)


def answer(kind, content, finish_reason):
    choice = {"index": 0, **content, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "scripted", "choices": [choice]}


# ---- The scripts --------------------------------------------------------------------------------


async def text(reply):
    await reply.open()
    await reply.delta({"role": "assistant", "content": ""})
    await reply.say(TEXT)
    await reply.finish()


async def slow(reply):
    """Says nothing for a while, then speaks."""
    await reply.open()
    await asyncio.sleep(SILENCE)
    await reply.say(TEXT)
    await reply.finish()


async def id_events(reply):
    """Numbers its events and pauses between two of them: where keep-alives have broken clients."""
    await reply.open()
    for number, token in enumerate(TEXT):
        await reply.delta({"content": token}, before=f"id: {number}\nevent: message\n")
        if number == 3:
            await asyncio.sleep(SILENCE)
    await reply.finish()


async def bytewise(reply):
    """Sends byte by byte, through the middle of characters and line ends."""
    await reply.open()
    for token in WIDE_TEXT:
        for byte in event(chunk({"content": token})).replace(b"\n", b"\r\n"):
            await reply.send(bytes([byte]))
    await reply.finish()


async def echo(reply):
    """Says what it was told."""
    await reply.open()
    await reply.say(reply.entry["prompt"].partition(" "))
    await reply.finish()


async def thinking(reply):
    """Reasons first, in the field that DeepSeek and vLLM use."""
    await reply.open()
    await reply.say(THOUGHT, "reasoning_content")
    await asyncio.sleep(SILENCE)
    await reply.say(TEXT)
    await reply.finish()


async def tools(reply):
    """Calls a tool, its arguments in pieces."""
    await reply.open()
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "gauge", "arguments": ""}}
    await reply.delta({"role": "assistant", "content": None, "tool_calls": [call]})
    for piece in ARGUMENTS:
        await reply.delta({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    await reply.finish("tool_calls")


async def endless(reply):
    await reply.open()
    for number in range(LIFETIME * 20):
        await reply.delta({"content": f"{number} "})
        await asyncio.sleep(0.05)


async def silent(reply):
    """Headers, then nothing."""
    await reply.open()
    await asyncio.sleep(LIFETIME)


async def hang(_reply):
    """Not even headers."""
    await asyncio.sleep(LIFETIME)


async def cut(reply):
    """Five tokens, then the connection closes in the middle of an event."""
    await reply.open()
    await reply.say(TEXT[:5])
    await reply.send(event(chunk({"content": TEXT[5]}))[:40])
    reply.cut()


async def error_event(reply):
    """Three tokens, then an error where the fourth would be."""
    await reply.open()
    await reply.say(TEXT[:3])
    await reply.event({"error": {"message": "The model fell asleep.", "type": "server_error", "code": "asleep"}})
    await reply.write(b"0\r\n\r\n")


async def busy_once(reply):
    """Asks to be asked again, and then answers."""
    if sum(entry["prompt"] == reply.entry["prompt"] for entry in log) == 1:
        await refuse(reply, 429)
    else:
        await text(reply)


async def refuse(reply, status):
    kind, code = ERRORS[status]
    error = {"message": f"Scripted to answer {status}.", "type": kind, "param": None, "code": code}
    await reply.json(status, {"error": error}, *(["retry-after: 1"] if status == 429 else []))


async def late_429(reply):
    """Refuses, but takes its time."""
    await asyncio.sleep(SILENCE)
    await refuse(reply, 429)


def refusal(status):
    return lambda reply: refuse(reply, status)


SCRIPTS = [text, slow, id_events, bytewise, echo, thinking, tools, endless]
SCRIPTS += [silent, hang, cut, error_event, busy_once, late_429]
STREAMS = {script.__name__.replace("_", "-"): script for script in SCRIPTS}
REFUSALS = {f"status-{status}": refusal(status) for status in ERRORS}


async def whole(reply):
    """The answer to a request that does not stream."""
    model = reply.request["model"]
    if model in ("hang", "silent", "endless"):
        return await hang(reply)
    if model == "slow":
        await asyncio.sleep(SILENCE)
    if model == "tools":
        call = {"id": "call_1", "type": "function", "function": {"name": "gauge", "arguments": "".join(ARGUMENTS)}}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    else:
        message, reason = {"role": "assistant", "content": "".join(TEXT)}, "stop"
    await reply.json(200, {**answer("chat.completion", {"message": message}, reason), "usage": USAGE})


async def embeddings(reply):
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 1.0]}
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    await reply.json(200, {"object": "list", "data": [vector], "model": reply.request.get("model"), "usage": usage})


async def models(reply):
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "scripted"} for name in [*STREAMS, *REFUSALS]]
    await reply.json(200, {"object": "list", "data": data})


def script_for(path, request, entry):
    model = request.get("model", "")
    if path.startswith("/speaks/"):
        return dialects.script_for(path, request, entry)
    if path.startswith("/v1/messages"):
        return messages.script_for(path, request)
    if path == "/v1/models":
        return models
    if path == "/v1/embeddings":
        return embeddings
    if model in REFUSALS:
        return REFUSALS[model]
    return STREAMS.get(model, refusal(404)) if request.get("stream") else whole


# ---- The server ---------------------------------------------------------------------------------


async def perform(script, reader):
    """Plays `script` until it ends or the peer closes the connection, and returns which it was."""
    script = asyncio.create_task(script)
    # Nobody sends a second request before the first is answered, so whatever can be read is the end.
    leave = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({script, leave}, return_when=asyncio.FIRST_COMPLETED)
        if not script.done():
            return "closed by the peer"
        script.result()
        return "answered"
    except Cut:
        return "cut"
    except ConnectionError:
        return "closed by the peer"
    finally:
        script.cancel()
        leave.cancel()
        await asyncio.gather(script, leave, return_exceptions=True)


async def converse(reader, writer):
    """Serves the requests of one connection, one behind the other."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            request_line, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = request_line.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            url = urlsplit(target)
            if url.path == "/_log":
                await Reply(writer, {}, {}).json(200, await entries(**dict(parse_qsl(url.query))))
                continue
            request = json.loads(body or "{}")
            entry = note(method, url.path, headers, request)
            script = script_for(url.path, request, entry)
            ended = await perform(script(Reply(writer, request, entry)), reader)
            entry.update(ended=ended, ended_at=time.time())
            if ended != "answered":
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # The peer is done.
    finally:
        writer.close()


def note(method, path, headers, request):
    """Enters a request in the log."""
    prompt = request["messages"][-1]["content"] if "messages" in request else request.get("input")
    entry = {"method": method, "path": path, "headers": headers, "prompt": prompt, "model": request.get("model")}
    entry.update(sent="", ended=None, ended_at=None)
    log.append(entry)
    return entry


async def entries(prompt, wait="3"):
    """What is known of the requests with `prompt`, once the last of them has ended or `wait` seconds have passed."""
    until = time.monotonic() + float(wait)
    while True:
        found = [entry for entry in log if entry["prompt"] == prompt]
        if (found and found[-1]["ended"]) or time.monotonic() > until:
            return found
        await asyncio.sleep(0.005)


async def main():
    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
