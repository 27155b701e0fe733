"""OpenAI Chat Completions. Thoughts and their marks are where OpenRouter has them."""

import json

from .story import CACHED, INPUT, MARK, OUTPUT, REASONING, Heard

CONTENT_TYPE = "text/event-stream"
IDS = ["call_kL0PCQV7M2WMoVX8V8OtYSAL", "call_AB6AaRZ1FYZB2RwS6A5vbdqn"]
FORMAT = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
USAGE = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": CACHED, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": REASONING, "audio_tokens": 0},
}


def asked(path, request):
    assert path == "chat/completions", path
    return request["model"], request.get("stream", False)


def hear(request):
    heard = Heard()
    open_calls = []
    for message in request["messages"]:
        role, content = message["role"], message.get("content")
        assert role == "tool" or not open_calls, f"{open_calls} have no results yet"
        if role == "user":
            for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
                if part["type"] == "text":
                    heard.prompt = heard.prompt or part["text"]
                else:
                    assert part["type"] == "image_url", part
                    media_type, data = part["image_url"]["url"].removeprefix("data:").split(";base64,")
                    heard.images.append([media_type, data])
        elif role == "assistant":
            for detail in message.get("reasoning_details", []):
                heard.thoughts += [detail["text"]] if "text" in detail else []
                heard.marks += [detail["signature"]] if "signature" in detail else []
            for call in message.get("tool_calls", []):
                assert call["type"] == "function", call
                assert isinstance(call["function"]["arguments"], str), call
                heard.hear_call(call["id"], call["function"]["name"], call["function"]["arguments"])
                open_calls.append(call["id"])
        elif role == "tool":
            open_calls.remove(message["tool_call_id"])
            heard.hear_result(message["tool_call_id"], content)
        else:
            assert role in ("system", "developer"), role
    for tool in request.get("tools", []):
        assert tool["type"] == "function", tool
        heard.tools.append([tool["function"]["name"], tool["function"]["parameters"]])
    heard.thinks = "reasoning_effort" in request or "reasoning" in request
    return heard


def answer(kind, choice, **more):
    head = {"id": "chatcmpl-BfXMZbKmqn", "object": kind, "created": 1786403070, "model": "scripted"}
    return {**head, "choices": [{"index": 0, **choice}] if choice else [], **more}


class Speaker:
    def __init__(self, request):
        self.tells_usage = (request.get("stream_options") or {}).get("include_usage")

    def chunk(self, choice, **more):
        if self.tells_usage:
            more = {"usage": None, **more}
        return f"data: {json.dumps(answer('chat.completion.chunk', choice, **more))}\n\n".encode()

    def delta(self, finish_reason=None, **delta):
        return self.chunk({"delta": delta, "logprobs": None, "finish_reason": finish_reason})

    def begin(self):
        return self.delta(role="assistant", content="", refusal=None)

    def thoughts(self, _index, pieces):
        for piece in pieces:
            yield self.delta(content="", reasoning=piece, reasoning_details=[{**FORMAT, "text": piece}])
        yield self.delta(content="", reasoning_details=[{**FORMAT, "signature": MARK}])

    def text(self, _index, pieces):
        for piece in pieces:
            yield self.delta(content=piece)

    def call(self, _index, call):
        head = {"index": call.number, "id": IDS[call.number], "type": "function"}
        yield self.delta(tool_calls=[{**head, "function": {"name": call.name, "arguments": ""}}])
        for piece in call.pieces:
            yield self.delta(tool_calls=[{"index": call.number, "function": {"arguments": piece}}])

    def end(self, parts):
        end = self.delta("tool_calls" if parts[-1][0] == "call" else "stop")
        return end + (self.chunk(None, usage=USAGE) if self.tells_usage else b"") + b"data: [DONE]\n\n"

    def failure(self, text):
        error = {"message": text, "type": "server_error", "param": None, "code": None}
        return f"data: {json.dumps({'error': error})}\n\n".encode()


def whole(_request, parts):
    message = {"role": "assistant", "content": None, "refusal": None}
    for kind, content in parts:
        if kind == "text":
            message["content"] = "".join(content)
        elif kind == "thoughts":
            text = "".join(content)
            message.update(reasoning=text, reasoning_details=[{**FORMAT, "text": text, "signature": MARK}])
        else:
            function = {"name": content.name, "arguments": content.arguments}
            call = {"id": IDS[content.number], "type": "function", "function": function}
            message.setdefault("tool_calls", []).append(call)
    reason = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"message": message, "logprobs": None, "finish_reason": reason}
    return answer("chat.completion", choice, usage=USAGE)


def refusal(status, text):
    kind, code = ("requests", "rate_limit_exceeded") if status == 429 else ("invalid_request_error", None)
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}
