"""Anthropic Messages, with extended thinking."""

import json
import re

from .story import CACHED, INPUT, MARK, OUTPUT, REASONING, Heard

CONTENT_TYPE = "text/event-stream; charset=utf-8"
IDS = ["toolu_01L9pX1Wp4FAEq9TT2Z6UAe7", "toolu_01JdU4xqNHXL9QCFWkwCDKGr"]
PROMPT_USAGE = {"input_tokens": INPUT - CACHED, "cache_creation_input_tokens": 0, "cache_read_input_tokens": CACHED}
USAGE = {**PROMPT_USAGE, "output_tokens": OUTPUT, "output_tokens_details": {"thinking_tokens": REASONING}}


def asked(path, request):
    assert path == "messages", path
    return request["model"], request.get("stream", False)


def blocks(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def hear(request):
    assert request["max_tokens"] > 0
    heard = Heard()
    awaited = []
    for message in request["messages"]:
        content = blocks(message["content"])
        assert content, "messages must have non-empty content"
        if message["role"] == "user":
            results = [block["tool_use_id"] for block in content[: len(awaited)] if block["type"] == "tool_result"]
            assert sorted(results) == sorted(awaited), f"the results of {awaited} must come first in {content}"
            awaited = []
            for block in content:
                hear_user(heard, block)
        else:
            assert message["role"] == "assistant" and not awaited, message
            for block in content:
                hear_assistant(heard, block)
            awaited = [block["id"] for block in content if block["type"] == "tool_use"]
    assert not awaited, f"{awaited} have no results"
    heard.tools = [[tool["name"], tool["input_schema"]] for tool in request.get("tools", [])]
    thinking = request.get("thinking") or {"type": "disabled"}
    heard.thinks = thinking["type"] != "disabled"
    if thinking["type"] == "enabled":
        assert 1024 <= thinking["budget_tokens"] < request["max_tokens"], request
    if heard.thinks:
        assert not heard.calls or heard.marks, "the turn that called tools must start with its thinking block"
    return heard


def hear_user(heard, block):
    if block["type"] == "text":
        assert block["text"], "text must be non-empty"
        heard.prompt = heard.prompt or block["text"]
    elif block["type"] == "image":
        assert block["source"]["type"] == "base64", block
        heard.images.append([block["source"]["media_type"], block["source"]["data"]])
    else:
        assert block["type"] == "tool_result", block
        heard.hear_result(block["tool_use_id"], "".join(part["text"] for part in blocks(block["content"])))


def hear_assistant(heard, block):
    if block["type"] == "thinking":
        heard.thoughts.append(block["thinking"])
        heard.marks.append(block["signature"])
    elif block["type"] == "tool_use":
        assert re.fullmatch("[a-zA-Z0-9_-]+", block["id"]), block
        assert isinstance(block["input"], dict), block
        heard.hear_call(block["id"], block["name"], block["input"])
    else:
        assert block["type"] == "text" and block["text"], block


def message(content, stop_reason, usage):
    head = {"model": "scripted", "id": "msg_01JdU4xqNHXL9QCFWkwCDKGr", "type": "message", "role": "assistant"}
    stop = {"stop_reason": stop_reason, "stop_sequence": None, "stop_details": None}
    return {**head, "content": content, **stop, "usage": usage}


def stop_reason(parts):
    return "tool_use" if parts[-1][0] == "call" else "end_turn"


class Speaker:
    def __init__(self, _request):
        pass

    def event(self, kind, **fields):
        # The API pads what it says with spaces.
        data = json.dumps({"type": kind, **fields})[:-1] + "   }"
        return f"event: {kind}\ndata: {data}\n\n".encode()

    def begin(self):
        return self.event("message_start", message=message([], None, {**PROMPT_USAGE, "output_tokens": 2}))

    def block(self, index, block, deltas):
        yield self.event("content_block_start", index=index, content_block=block)
        if index == 0:
            yield self.event("ping")
        for delta in deltas:
            yield self.event("content_block_delta", index=index, delta=delta)
        yield self.event("content_block_stop", index=index)

    def thoughts(self, index, pieces):
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        deltas.append({"type": "signature_delta", "signature": MARK})
        return self.block(index, {"type": "thinking", "thinking": "", "signature": ""}, deltas)

    def text(self, index, pieces):
        deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
        return self.block(index, {"type": "text", "text": ""}, deltas)

    def call(self, index, call):
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *call.pieces)]
        return self.block(index, {"type": "tool_use", "id": IDS[call.number], "name": call.name, "input": {}}, deltas)

    def end(self, parts):
        delta = {"stop_reason": stop_reason(parts), "stop_sequence": None, "stop_details": None}
        return self.event("message_delta", delta=delta, usage=USAGE) + self.event("message_stop")

    def failure(self, text):
        return self.event("error", error={"type": "overloaded_error", "message": text})


def whole(_request, parts):
    content = []
    for kind, said in parts:
        if kind == "text":
            content.append({"type": "text", "text": "".join(said)})
        elif kind == "thoughts":
            content.append({"type": "thinking", "thinking": "".join(said), "signature": MARK})
        else:
            use = {"type": "tool_use", "id": IDS[said.number], "name": said.name, "input": json.loads(said.arguments)}
            content.append(use)
    return message(content, stop_reason(parts), USAGE)


def refusal(status, text):
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_upstream"}
