"""Ollama's chat: lines of JSON, calls whole, and no marks on thoughts."""

import json

from .story import INPUT, OUTPUT, Heard

CONTENT_TYPE = "application/x-ndjson"
IDS = ["call_u3c1x7pa", "call_k0q9v2mz"]
COUNTS = {"total_duration": 23595672042, "load_duration": 24478458, "prompt_eval_count": INPUT}
COUNTS |= {"prompt_eval_duration": 339942708, "eval_count": OUTPUT, "eval_duration": 23230435042}


def asked(path, request):
    assert path == "api/chat", path
    return request["model"], request.get("stream", True)


def hear(request):
    heard = Heard()
    for message in request["messages"]:
        role, content = message["role"], message.get("content", "")
        assert isinstance(content, str), message
        if role == "user":
            heard.prompt = heard.prompt or content
            # It tells the type by the bytes.
            heard.images += [["image/png", data] for data in message.get("images") or []]
        elif role == "assistant":
            heard.thoughts += [message["thinking"]] if message.get("thinking") else []
            for call in message.get("tool_calls") or []:
                assert isinstance(call["function"]["arguments"], dict), call
                heard.hear_call(call.get("id"), call["function"]["name"], call["function"]["arguments"])
        elif role == "tool":
            # Templates look at the name, and newer ones at the id too.
            heard.results.append([message["tool_name"], content])
            ids = [id for id, name, _ in heard.calls if name == message["tool_name"]]
            assert [message.get("tool_call_id", ids[0])] == ids, message
        else:
            assert role == "system", role
    heard.tools = [[tool["function"]["name"], tool["function"]["parameters"]] for tool in request.get("tools") or []]
    heard.thinks = bool(request.get("think"))
    return heard


def answer(message, **more):
    head = {"model": "scripted", "created_at": "2025-06-09T17:58:55.337823Z"}
    return {**head, "message": {"role": "assistant", "content": "", **message}, "done": False, **more}


def call_of(call):
    function = {"index": call.number, "name": call.name, "arguments": json.loads(call.arguments)}
    return {"id": IDS[call.number], "function": function}


class Speaker:
    def __init__(self, _request):
        pass

    def line(self, value):
        return json.dumps(value).encode() + b"\n"

    def begin(self):
        return b""

    def thoughts(self, _index, pieces):
        for piece in pieces:
            yield self.line(answer({"thinking": piece}))

    def text(self, _index, pieces):
        for piece in pieces:
            yield self.line(answer({"content": piece}))

    def call(self, _index, call):
        yield self.line(answer({"tool_calls": [call_of(call)]}))

    def end(self, _parts):
        return self.line(answer({}, done_reason="stop", done=True, **COUNTS))

    def failure(self, text):
        return self.line({"error": text})


def whole(_request, parts):
    message = {}
    for kind, content in parts:
        if kind == "text":
            message["content"] = "".join(content)
        elif kind == "thoughts":
            message["thinking"] = "".join(content)
        else:
            message.setdefault("tool_calls", []).append(call_of(content))
    return answer(message, done_reason="stop", done=True, **COUNTS)


def refusal(_status, text):
    return {"error": text}
